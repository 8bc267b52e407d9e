package platform

import (
	"io/fs"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/decision"
	"transom.dev/render/expression"
	"transom.dev/render/gate"
	"transom.dev/render/inquiry"
	"transom.dev/render/schema"
	"transom.dev/render/sealed"
)

// APIVersion is the API group and version of every kind that Transom reads or writes.
const APIVersion = "transom.dev/v1alpha1"

// Offering is something the platform team provides: its catalogue entry and its published versions.
type Offering struct {
	Name        string
	File        string
	Title       string
	Description string
	Owner       string
	Teams       []string // who may request it; empty: every team
	Deletion    Deletion
	Routine     []string   // parameters whose change is routine
	links       []link     // from each of its instances
	Versions    []*Version // ascending

	// Broken says that offering.yaml has a Problem: nothing new is resolved to the offering.
	Broken bool
}

// Deletion says how removing an instance treats the objects that it owns.
type Deletion string

// The values of an offering's deletion.
const (
	DeletionDelete  Deletion = "delete"
	DeletionConfirm Deletion = "confirm"
	DeletionRetain  Deletion = "retain"
)

// A lifecycle is the stage of a version's life.
type lifecycle string

// The stages of a version's life.
const (
	Active       lifecycle = "active"
	Experimental lifecycle = "experimental"
	Deprecated   lifecycle = "deprecated"
	Withdrawn    lifecycle = "withdrawn"
)

// Version is a published version of an offering: a directory of plain Kustomize with the contract in version.yaml.
type Version struct {
	Offering    string
	Number      *semver.Version
	Dir         string // offerings/<offering>/<version>
	Files       fs.FS  // rooted at Dir
	Digest      string // sha256:<hex> over every file but tests/
	Rendering   string // the same over all that rendering reads: without health, ignore, outputs and reversible of version.yaml
	Lifecycle   lifecycle
	Reason      string
	RemoveAfter string // a date, YYYY-MM-DD

	Parameters *schema.Schema
	Display    []string                // the parameters that lists of requests show, such as storage.size
	Computed   []expression.Expression // sorted by name
	Components []Component
	Chart      *Chart // nil: it has none
	Bindings   map[string]binding
	Placement  labels.Selector // over the labels of clusters; nil: every cluster of the environment
	Scope      Scope
	Names      naming
	Kinds      []Kind
	Health     []Health
	Outputs    []expression.Expression // that are computed, in the order written
	Observed   []ObservedOutput        // in the order written
	Examples   []any                   // of the Observed ones, in their order
	Reversible bool
	Ignore     []Ignore

	reads   map[string][]string // outputs that expressions read of each binding, sorted
	names   *expression.Scope   // the variables of an instance
	removal Problem             // without its text: where RemoveAfter stands

	// Broken says that the version has a Problem: instances that run it keep it, no other takes it.
	Broken bool
}

// String is OFFERING@VERSION.
func (v *Version) String() string { return v.Offering + "@" + v.Number.String() }

// Component is an optional Kustomize Component of a version, chosen by a condition.
type Component struct {
	Path string                 // local, inside the version
	When *expression.Expression // nil: always
}

// A binding declares a value that a version can be given: the outputs of another request of the same team.
type binding struct {
	Offerings []string `decode:"required"`
	Required  bool
}

// Scope says whether a version's objects live in the instance's namespace or in the cluster.
type Scope string

// The scopes of a version.
const (
	Namespaced    Scope = "namespaced"
	ClusterScoped Scope = "cluster"
)

// naming says whether object names get the request's name as a prefix.
type naming string

// The ways to name objects.
const (
	prefixed naming = "prefixed"
	Verbatim naming = "verbatim"
)

// Kind declares the scope of a kind that neither Kubernetes nor the platform repository defines.
type Kind struct {
	Group string `json:"group"`
	Kind  string `json:"kind" decode:"required"`
	Scope string `json:"scope" decode:"required" oneof:"Namespaced|Cluster"`

	Versions []string `json:"versions,omitempty"` // that a chart finds in .Capabilities.APIVersions, such as v1
}

// Health says when an object of a kind is healthy: one that kstatus does not know, or a built-in one, of which it says so
// instead of kstatus.
type Health struct {
	Group   string `json:"group"`
	Kind    string `json:"kind" decode:"required"`
	Healthy string `json:"healthy,omitempty"` // CEL over the object's top-level fields
	Failed  string `json:"failed,omitempty"`  // CEL over the object's top-level fields
	Applied bool   `json:"applied,omitempty"` // healthy once applied
}

// Ignore names fields of a kind that others may own.
type Ignore struct {
	Group  string   `json:"group"`
	Kind   string   `json:"kind" decode:"required"`
	Fields []string `json:"fields" decode:"required"` // such as spec.replicas
}

// Request is a developer's file: which offering and version, which parameters, which environments.
type Request struct {
	Key  RequestKey
	File string
	Spec RequestSpec

	// Broken says that the file has a Problem. A broken request is not absent: the release that it last had stays.
	Broken bool

	// Deferred says that the request is new and that a later load resolves it, as Loader.AtOnce bounds. It is Broken until then.
	Deferred bool
}

// RequestSpec is the spec that a developer writes, as decoded. Hold is read at the head and belongs to no release.
type RequestSpec struct {
	Offering     string                        `json:"offering" decode:"required"`
	Version      string                        `json:"version" decode:"required"`
	Parameters   map[string]any                `json:"parameters,omitempty"`
	Bindings     map[string]string             `json:"bindings,omitempty"`
	Environments map[string]RequestEnvironment `json:"environments" decode:"required"`
	Adopt        bool                          `json:"adopt,omitempty"`
	OnRemoval    Removal                       `json:"onRemoval,omitempty" oneof:"keep|delete"`
}

// Removal says whether an object that a request adopted is deleted once its request or a later version drops it. Otherwise it is let
// go: it stays, and is nobody's.
type Removal string

// RemovalDelete is the value of onRemoval that deletes; "keep" and none do not.
const RemovalDelete Removal = "delete"

// RequestEnvironment has the fields that a request overrides in one environment.
type RequestEnvironment struct {
	Parameters map[string]any    `json:"parameters,omitempty"` // a JSON merge patch
	Version    string            `json:"version,omitempty"`
	Bindings   map[string]string `json:"bindings,omitempty"`
	Hold       bool              `json:"hold,omitempty"`
}

// Environment is a stage such as dev or prod: its state repository, its clusters, its gates.
type Environment struct {
	Name     string
	File     string
	State    StateRepository
	Clusters labels.Selector
	// Namespace says which namespace an instance gets and which Components shape the Namespace object.
	Namespace struct {
		Name       *expression.Expression // nil: the team's name
		Components []Overlay
		Adopt      []string // namespaces that exist and are nobody's, and may be taken over
	}
	Impersonate Impersonation
	Recipients  map[string][]string // of secrets, by team; "*" is for all others
	// PullSecrets are the image pull secrets that pods of instances name, by name. A nil one has no file in order, and the environment is Broken.
	PullSecrets   map[string]*sealed.File
	Reserved      []ReservedKind
	Values        map[string]any
	Overlays      []Overlay // Components for every instance
	PromotesFrom  []string
	Gates         Gates
	Windows       []Window
	Rollout       Rollout
	Drift         string // correct, report or state.DriftStrict
	DeletionLimit DeletionLimit
	External      bool   // another agent applies the state
	Kubernetes    string // the version that charts are told, such as 1.33
	Logs          bool   // developers of a team may read the logs and the events of its pods here

	// Broken says that the file or an overlay has a Problem: the environment keeps all it has.
	Broken bool
}

// StateRepository says where an environment's state is kept.
type StateRepository struct {
	URL    string `json:"url"`
	Branch string `json:"branch"`
}

// Impersonation names the ServiceAccounts as which the objects of instances are written. Without one, the daemon writes as itself.
type Impersonation struct {
	ServiceAccount *expression.Expression // over the team: the name of an account in the instance's namespace; nil: none
	ClusterScoped  string                 // NAMESPACE/NAME of that for cluster-scoped versions; empty: they are not for this environment

	accounts *sync.Map // that were found out, by team
}

// ReservedKind is a kind of objects in a reserved namespace that an environment leaves to cluster-scoped offerings. The
// namespace itself is the kind Namespace.
type ReservedKind struct{ Namespace, Group, Kind string }

// Overlay is a directory environments/<environment>/<name> that has a Kustomize Component.
type Overlay struct {
	Dir    string // environments/<environment>/<name>
	Files  fs.FS  // rooted at Dir
	Digest string // sha256:<hex> over its files
}

// Gates are the conditions that a release must meet to enter an environment.
type Gates struct {
	Soak     time.Duration
	Approval string // none or required
	Routine  bool   // what an offering calls routine needs no Approval
	Separate bool   // an Approval counts only in a later commit than the release that it is of
	Grace    time.Duration
	Unproven string // approval (default) or allow
	Replace  string // oldest (default) or newest
	Checks   []*inquiry.Check
}

// Window is a time in which an environment may change, or, with Deny, may not.
type Window struct {
	Cron     string
	Duration time.Duration
	TimeZone string
	Deny     bool

	starts cron.Schedule
	zone   *time.Location
}

// Rollout says in which order and how many at once a revision reaches clusters and instances.
type Rollout struct {
	Waves            []Wave
	Instances        Instances
	ProgressDeadline time.Duration
	OnFailure        string           // rollback or stop
	Checks           []*inquiry.Check // of releases that became healthy
}

// Wave is a group of clusters that receives a revision together.
type Wave struct {
	Name          string
	Clusters      labels.Selector // nil: the rest
	MaxConcurrent string
	Soak          time.Duration
}

// Instances bounds the rollout of a new version or an environment change over an environment's instances.
type Instances struct {
	First         int
	MaxConcurrent string
	MaxFailures   int
}

// DeletionLimit bounds how many instances one pass may delete.
type DeletionLimit struct {
	Instances int
	Percent   int
}

// ClusterState says whether a cluster is written to.
type ClusterState string

// The states of a cluster.
const (
	ClusterActive   ClusterState = "active"
	ClusterPaused   ClusterState = "paused"   // read, never written
	ClusterDraining ClusterState = "draining" // its placements are removed, once the clusters that they stay on are well
)

// Cluster is a member of the fleet. How to reach it is not in Git, but for the one that the daemon runs in.
type Cluster struct {
	Name   string
	File   string
	Labels map[string]string
	State  ClusterState
	Now    bool // of a draining one: its placements do not wait for other clusters, once a person approved their deletion
	Reason string
	UID    string // accepts a rebuilt cluster

	InCluster bool // it is the one that the daemon runs in

	// Broken says that the file has a Problem: the cluster's placements stay as they are.
	Broken bool

	stray bool // its file is elsewhere: it belongs to no environment, and its placements stay
}

// Policy is a set of CEL validations over every object that a request renders, or of quotas that count requests.
type Policy struct {
	Name         string
	File         string
	Environments []string
	Offerings    []string // whose requests the quotas count; empty: all
	Kinds        []Kind   // that the validations judge; Scope is unused
	Validations  []rule
	Quotas       []*Quota
	Action       string // deny or warn

	Broken bool
}

// A rule is one validation of a Policy.
type rule struct {
	Expression *expression.Expression
	Message    string
}

// Decision is a person's file below decisions/<environment>/: an Approval, Hold, Pin or Override.
type Decision struct {
	Kind        decision.Kind
	Name        string
	File        string
	Environment string
	Digest      string // sha256:<hex> of the file: deciding again is another decision; empty where it is no object

	Request   *RequestKey
	Release   string
	Offering  string
	Version   string
	Team      string
	Cluster   string
	Plan      string
	Deletions string
	Platform  string
	Takeover  string
	State     string // a commit of the environment's state
	Adoption  string
	Skip      []gate.Name
	From      time.Time
	Until     time.Time
	Reason    string

	Items []*Decision // of an Approval of many things: one Approval for each, of the same file; a Platform lists those instead

	Broken bool
}

// MayHold reports whether the decision is a Hold, or a file with a Problem that may be one, or a Pin: nobody can tell what it stops.
func (c *Decision) MayHold() bool {
	return c.Kind == decision.Hold || c.Broken && c.Kind != decision.Approval && c.Kind != decision.Override
}
