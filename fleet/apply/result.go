package apply

import (
	"time"

	"transom.dev/render/state"
)

// Object names an object of a cluster.
type Object struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"` // empty for cluster-scoped kinds
	Name      string `json:"name"`
}

// String is the form "Deployment.apps payments/orders-db", without the parts that are empty.
func (o Object) String() string {
	kind, name := o.Kind, o.Name
	if o.Group != "" {
		kind += "." + o.Group
	}
	if o.Namespace != "" {
		name = o.Namespace + "/" + o.Name
	}
	return kind + " " + name
}

// Action names the change that a visit made to an object, in kubectl's words.
type Action string

// The actions of a visit. Objects that were not touched are only counted.
const (
	Created    Action = "created"
	Configured Action = "configured"
	Adopted    Action = "adopted"  // configured for the first time: others had made it
	Resumed    Action = "resumed"  // configured again: it was kept when the request was removed
	Replaced   Action = "replaced" // deleted, and made anew in this visit or as soon as it is gone
	Pruned     Action = "pruned"
	Kept       Action = "kept"    // let go: it left the inventory and stays in the cluster
	Deleted    Action = "deleted" // a pod that was in the way, which its StatefulSet makes anew
)

// Change is one object that a visit wrote or let go.
type Change struct {
	Object Object `json:"object"`
	Action Action `json:"action"`
	Reason string `json:"reason,omitempty"` // such as "kubectl-edit had changed spec.replicas"

	// Corrects says that somebody else had changed or deleted the object, and that the change takes that back.
	Corrects bool `json:"corrects,omitempty"`

	// Before, of an adopted object, is the managed fields that were taken over, as JSON.
	Before string `json:"before,omitempty"`
}

// ObjectStatus is the health of one desired object at its desired revision.
type ObjectStatus struct {
	Object  Object       `json:"object"`
	Health  state.Health `json:"health"`
	Message string       `json:"message,omitempty"` // why, down to the worst pod
}

// Problem is a fault that a person must mend before the instance can be as it should. Its text has no secret value.
type Problem struct {
	Object  Object `json:"object"` // zero if it concerns the whole instance
	Message string `json:"message"`
}

// String is the form "Deployment.apps payments/web: MESSAGE".
func (p Problem) String() string {
	if p.Object == (Object{}) {
		return p.Message
	}
	return p.Object.String() + ": " + p.Message
}

// Told is the value that an object has for an output, or why it has none that may be recorded.
type Told struct {
	Value any    `json:"value,omitempty"`
	Fault string `json:"fault,omitempty"`
}

// Result says how one visit found one instance, and which objects it wrote.
type Result struct {
	Changes   []Change       `json:"changes,omitempty"` // in the order of the state file; pruned ones after
	Unchanged int            `json:"unchanged"`
	Objects   []ObjectStatus `json:"objects,omitempty"` // one per desired object, in the order of the state file
	Health    state.Health   `json:"health"`            // the worst of them; with Problems at best Unknown
	Message   string         `json:"message,omitempty"` // of the worst object, which it begins with
	Object    string         `json:"object,omitempty"`  // the worst object, such as "Deployment.apps payments/web"
	Stuck     bool           `json:"stuck,omitempty"`   // a pod of this revision crashes again and again, or cannot start as it is
	Problems  []Problem      `json:"problems,omitempty"`

	// Superseded says that nothing but pods of a revision before keeps the instance from being healthy. That is no failure
	// of its own revision, however long it lasts.
	Superseded bool `json:"superseded,omitempty"`

	// Images are those of the containers of the desired objects, sorted.
	Images []string `json:"images,omitempty"`

	// Drift lists the objects that others changed and that Instance.ReportDrift keeps as they are. It makes nothing
	// unhealthy, but health is that of the objects as they are now.
	Drift []Problem `json:"drift,omitempty"`

	// Added lists the fields that somebody set by hand beside those of the instance's objects. They make nothing unhealthy.
	Added []Added `json:"added,omitempty"`

	// Leaving lists the objects that nobody desires any more and that hang while they are being deleted. They make nothing unhealthy.
	Leaving []Problem `json:"leaving,omitempty"`

	// Adoption lists the effects that a person has to approve before anything of the instance is written, and Health is
	// Unknown then; nil: none.
	Adoption *Adoption `json:"adoption,omitempty"`

	// Adopts counts the objects that are nobody's and would be taken over.
	Adopts int `json:"adopts,omitempty"`

	// Resumes are the objects that were kept when this very request was removed, and that are its again. Of a visit that
	// writes, Changes has those that it took back.
	Resumes []Problem `json:"resumes,omitempty"`

	// Untried are objects of an adoption that the API server could not be asked about before, and why.
	Untried []Problem `json:"untried,omitempty"`

	// LetGo are the objects that the instance had adopted and does not desire any more. They are still on the cluster, unless
	// somebody else removed them since, and are nobody's.
	LetGo []Object `json:"letGo,omitempty"`

	// Told are the values that the objects have for the outputs that the instance observes, by output. One of which nothing is known
	// now, because its object is not at the desired revision or the watch has not seen it since the last PATCH, is not among them.
	Told map[string]Told `json:"told,omitempty"`

	// Checkpoint is the one that was last remembered of this very revision on this cluster; zero if nothing was.
	Checkpoint Checkpoint `json:"checkpoint,omitzero"`

	// Overtaken says that another daemon may have applied a later state, so that nothing was written: it is to be fetched.
	Overtaken bool `json:"doubted,omitempty"`

	// Foreign is set where nothing of the environment is looked at or written on this cluster, because it was last written
	// for a state commit that this state does not continue. A person decides how to go on.
	Foreign *Foreign `json:"foreign,omitempty"`

	// Withheld says why nothing was written or deleted: the state is not proven to be Transom's, and a person decides. Health is
	// Unknown then.
	Withheld string `json:"held,omitempty"`

	// Refusal says that nothing but answers of the API server keeps it from being settled; nil: nothing does, or something else.
	Refusal *Refusal `json:"-"`

	// Settled says that nothing remains to be done until a watch reports something through OnEvent. Otherwise the caller
	// looks again: soon at first, then with backoff, for instance because a CRD is waited for, pruning is in
	// progress, or only another try can show whether a refused object would be taken now.
	Settled bool `json:"settled"`

	// LookAfter is when to look again at the latest although it is settled, because time alone decides something; 0: never.
	LookAfter time.Duration `json:"-"`

	Took time.Duration `json:"took"`
}
