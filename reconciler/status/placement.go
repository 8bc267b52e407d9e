package status

import (
	"cmp"
	"slices"
	"time"

	"transom.dev/render/state"
)

// Stage is how far a placement has come.
type Stage string

// The stages, in order. A Problem is no stage: it keeps a placement where it is.
const (
	Rendered  Stage = "Rendered"
	Committed Stage = "Committed"
	Applied   Stage = "Applied"
	Healthy   Stage = "Healthy"
)

// Placement is one instance on one cluster.
type Placement struct {
	Cluster     string          `json:"cluster"`
	Stage       Stage           `json:"stage"`
	Health      state.Health    `json:"health"`
	Message     string          `json:"message,omitempty"`
	Withheld    string          `json:"held,omitempty"` // why nothing of it is applied until a person decides; also among Problems
	Revision    string          `json:"revision,omitempty"`
	StateCommit string          `json:"stateCommit,omitempty"`
	Release     string          `json:"release,omitempty"` // where it is not the instance's own, as its wave is still to come
	Version     string          `json:"version,omitempty"`
	Objects     []Object        `json:"objects,omitempty"`
	Problems    []ObjectProblem `json:"problems,omitempty"`
	Images      []string        `json:"images,omitempty"`  // of its containers, sorted
	Drift       []ObjectProblem `json:"drift,omitempty"`   // fields that others changed and that are not touched, as its environment asks
	Added       []Added         `json:"added,omitempty"`   // fields that somebody set by hand beside those of its objects
	Leaving     []ObjectProblem `json:"leaving,omitempty"` // objects that are its no more and hang while they are being deleted
	CommittedAt time.Time       `json:"committedAt,omitzero"`
	AppliedAt   time.Time       `json:"appliedAt,omitzero"`
	HealthyAt   time.Time       `json:"healthyAt,omitzero"`
	Adoption    *Adoption       `json:"adoption,omitempty"` // that waits for an Approval; nothing is written until then
	LetGo       []string        `json:"letGo,omitempty"`    // adopted objects that are the instance's no more, such as "ConfigMap payments/web"

	Outputs map[string]any `json:"outputs,omitempty"` // the values of observed outputs that are recorded
	Told    []Told         `json:"told,omitempty"`    // the values that its objects have for them now, sorted by output

	reported    bool // the cluster reported about it, or about the one before it, while the Board watched
	alarmed     bool // an alarm was recorded, and that it is healthy again was not
	withCluster bool // nothing else is wrong than that nothing of its environment is written on the cluster
}

// IsHealthy reports whether the placement came to its revision and is healthy now.
func (p Placement) IsHealthy() bool { return p.Stage == Healthy && p.Health == state.Healthy }

// ill says whether a placement is an alarm of its own: that its environment is written nowhere on the cluster is one of the cluster.
func (p *Placement) ill() bool {
	wrong := len(p.Problems) > 0 || p.Health == state.Failed
	return wrong && !p.withCluster
}

// commit makes the placement the one that the state asks for from now on, after the one that was known; nil: none was. Watched says
// that it is committed now.
func (p *Placement) commit(known *Placement, watched bool, now time.Time) {
	if p.CommittedAt.IsZero() && watched {
		p.CommittedAt = now
	}
	p.reported = watched
	if known != nil {
		p.alarmed = known.alarmed
	}
}

// restate takes what the state says anew of a placement whose revision stays.
func (p *Placement) restate(asked Placement) {
	p.StateCommit = cmp.Or(asked.StateCommit, p.StateCommit)
	p.Release, p.Version, p.Outputs = asked.Release, asked.Version, asked.Outputs
}

// succeed makes a report of the placement the successor of the one that was known. Refused says why nothing of its environment is
// written on the cluster; empty: it is.
func (p *Placement) succeed(known *Placement, refused string, now time.Time) {
	p.stamp(known, now)
	p.Release, p.Version, p.Outputs = known.Release, known.Version, known.Outputs
	p.withCluster = refused != "" && p.Message == refused
	p.reported, p.alarmed = true, known.alarmed || p.ill()
}

// share has the placement share its objects and images with the last report about its instance, where that had the same.
func (p *Placement) share(in *instance) {
	if slices.Equal(in.objects, p.Objects) {
		p.Objects = in.objects
	}
	if slices.Equal(in.images, p.Images) {
		p.Images = in.images
	}
	in.objects, in.images = p.Objects, p.Images
}

// stamp carries the times of old over to the placement and adds those of the stages that it reached for the first time.
func (p *Placement) stamp(old *Placement, now time.Time) {
	remembered := p.HealthyAt
	p.CommittedAt, p.AppliedAt, p.HealthyAt = old.CommittedAt, old.AppliedAt, old.HealthyAt
	if old.CommittedAt.IsZero() { // it came about before the daemon was there to see it
		if p.HealthyAt.IsZero() {
			p.HealthyAt = remembered
		}
		return
	}
	applied := p.Stage == Applied || p.Stage == Healthy
	if applied && p.AppliedAt.IsZero() {
		p.AppliedAt = now
	}
	if p.HealthyAt.IsZero() && p.Stage == Healthy {
		p.HealthyAt = now
	}
}

// endAlarm ends the alarm of a placement that is healthy again, and reports whether there was one.
func (p *Placement) endAlarm() bool {
	ended := p.IsHealthy() && p.alarmed
	p.alarmed = p.alarmed && !ended
	return ended
}

// lose says that the placement's health is not known any more, and why.
func (p *Placement) lose(why string) { p.Health, p.Message = state.Unknown, why }

// remove marks a placement that its cluster is still to prune.
func (p *Placement) remove() {
	if p.Revision != "" {
		*p = Placement{Cluster: p.Cluster, Stage: Committed, Health: state.Progressing, Message: "being removed", Objects: p.Objects}
	}
}

// without is the placement with some of its objects omitted.
func (p Placement) without(dropped func(Object) bool) Placement {
	p.Objects = slices.DeleteFunc(slices.Clone(p.Objects), dropped)
	return p
}

// Adoption is the effects of taking over objects.
type Adoption struct {
	Digest  string   `json:"digest"`            // that an Approval names
	Effects []string `json:"effects"`           // one for each object, such as the fields that it would lose
	Untried []string `json:"untried,omitempty"` // objects that the API server could not be asked about
}

// Object is one object of a placement.
type Object struct {
	Group     string       `json:"group,omitempty"`
	Kind      string       `json:"kind"`
	Namespace string       `json:"namespace,omitempty"`
	Name      string       `json:"name"`
	Health    state.Health `json:"health"`
	Message   string       `json:"message,omitempty"`
}

// Added is a field of an object that somebody set by hand, or another agent: its manifest does not have it.
type Added struct {
	Object  string    `json:"object"`
	Field   string    `json:"field"`
	Manager string    `json:"manager"`         // that set it, such as kubectl-edit
	At      time.Time `json:"at,omitzero"`     // when the manager last changed something of the object
	Agent   bool      `json:"agent,omitempty"` // the manager is no person: it is an agent such as Flux, which applied the object, too
}

// Told is the field with whoever set it, and the remedy where an agent did.
func (a Added) Told() string {
	if a.Agent {
		return a.Manager + " set " + a.Field + " as well: suspend it, and remove its Kustomization, release or Application without pruning"
	}
	return "set by hand: " + a.Field + " by " + a.Manager
}

// ObjectProblem is a state of a cluster that a person must fix.
type ObjectProblem struct {
	Object  string `json:"object"` // Kind namespace/name
	Message string `json:"message"`
}
