package api

import (
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// A Placement is an instance on a cluster, with its objects.
type Placement struct {
	Environment string
	Cluster     string
	Request     platform.RequestKey
	Objects     []status.Object
}

// Pod is a pod of a placement.
type Pod struct {
	Namespace  string      `json:"namespace"`
	Name       string      `json:"name"`
	Phase      string      `json:"phase"`
	Message    string      `json:"message,omitempty"` // its ailment
	Started    time.Time   `json:"started,omitzero"`
	Containers []Container `json:"containers"` // those that prepare it first

	Owners []Controller `json:"owners,omitempty"` // that control it, the nearest first, such as a ReplicaSet and its Deployment
}

// Controller is an object of a pod's namespace that controls it.
type Controller struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Container is one of a pod.
type Container struct {
	Name     string `json:"name"`
	Ready    bool   `json:"ready"`
	Restarts int    `json:"restarts,omitempty"`
	Prepares bool   `json:"prepares,omitempty"` // it is an init container
}

// Happening is a Kubernetes Event about an object of a placement, or about one that belongs to it.
type Happening struct {
	At      time.Time `json:"at"`
	Object  string    `json:"object"` // Kind namespace/name
	Type    string    `json:"type"`   // Normal or Warning
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int       `json:"count"`
}

// Log names a part of a container's log.
type Log struct {
	Namespace, Pod, Container string

	Tail             int // so many of the latest lines
	Follow, Previous bool
}

// Line is a line of a log, cleaned of control characters and cut where it is long.
type Line struct {
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
	Line      string `json:"line"`
	Error     string `json:"error,omitempty"` // why the log ends here; there is no line then
}
