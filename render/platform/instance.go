package platform

import "transom.dev/render/sealed"

// Instance is one request in one environment, resolved: an exact version, parameters merged, defaulted and
// validated, and the clusters it is placed on. It is shared between the Platforms of one Loader as long as nothing of
// it changes: whoever reads it must not change it.
type Instance struct {
	Request     *Request
	Environment *Environment
	Offering    *Offering
	Version     *Version
	Parameters  map[string]any

	// Bindings are the requests whose outputs it is given, by the name of the binding. They are in its environment.
	Bindings map[string]RequestKey

	// Clusters that it is placed on, sorted by name. Draining ones are not among them, nor are Broken ones, whose
	// placements stay as they are.
	Clusters []*Cluster

	// Sealed are the values that the request gives in secret; nil: it gives none.
	Sealed *sealed.File

	// Long are its texts that are longer than those of a new request may be.
	Long []Problem

	// Release is the digest of the request's content with this version: sha256:<hex>.
	Release string
}

// Inputs is all that rendering one instance for one cluster may read. CEL and Kustomize share its names: the value that CEL
// calls parameters.storage a Kustomize replacement reads at fieldPath parameters.storage.
type Inputs struct {
	Request     inputsRequest             `json:"request"`
	Namespace   string                    `json:"namespace"`
	Parameters  map[string]any            `json:"parameters"`
	Computed    map[string]any            `json:"computed"`
	Bindings    map[string]map[string]any `json:"bindings"`
	Environment inputsEnvironment         `json:"environment"`
	Cluster     inputsCluster             `json:"cluster"`
}

// inputsRequest is the request as rendering sees it.
type inputsRequest struct {
	Name string `json:"name"`
	Team string `json:"team"`
}

// inputsEnvironment is the environment as rendering sees it.
type inputsEnvironment struct {
	Name   string         `json:"name"`
	Values map[string]any `json:"values"`
}

// inputsCluster is the cluster as rendering sees it.
type inputsCluster struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}
