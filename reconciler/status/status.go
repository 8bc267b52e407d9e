package status

import (
	"time"

	"transom.dev/render/event"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Status is all that is known at one moment, sorted by name. /api/v1/status serves it.
type Status struct {
	Leader       string        `json:"leader,omitempty"` // the replica that this is from; empty: there is one process
	Platform     Platform      `json:"platform"`
	Environments []Environment `json:"environments"`
	Instances    []Instance    `json:"instances"`
}

// Behind names the environments that have not taken in the platform's head yet: which of its instances they will hold is not
// known.
func (s Status) Behind() []string {
	var behind []string
	for _, e := range s.Environments {
		if e.Commit != s.Platform.Commit {
			behind = append(behind, e.Name)
		}
	}
	return behind
}

// Platform is the status of the platform repository.
type Platform struct {
	URL      string             `json:"url"`
	Branch   string             `json:"branch,omitempty"` // that is followed
	Commit   string             `json:"commit,omitempty"` // the head that was last loaded
	LoadedAt time.Time          `json:"loadedAt,omitzero"`
	Problems []platform.Problem `json:"problems,omitempty"` // Warnings among them
	Error    string             `json:"error,omitempty"`    // why the head cannot be read now
	Frozen   string             `json:"frozen,omitempty"`   // why an older commit than the head was loaded, or none, and how to end that

	// Forge has the parts of the facts that the forge is told, and why one is not; "": it is. nil: no forge is told.
	Forge map[string]string `json:"forge,omitempty"`

	offers *platform.Platform // that was loaded
}

// Offers is the platform that was loaded; nil: none was yet. Nobody may change it.
func (p Platform) Offers() *platform.Platform { return p.offers }

// Environment is the status of one environment.
type Environment struct {
	Name        string             `json:"name"`
	StateURL    string             `json:"stateURL,omitempty"`
	StateBranch string             `json:"stateBranch,omitempty"`
	Commit      string             `json:"commit,omitempty"`      // the platform commit it was last reconciled with
	StateCommit string             `json:"stateCommit,omitempty"` // the head of its state that is deployed
	Did         string             `json:"did,omitempty"`         // the changes of that commit, in a line
	Frozen      string             `json:"frozen,omitempty"`      // why nothing is committed, and how to end that
	Error       string             `json:"error,omitempty"`       // the last pass failed and is tried again
	Problems    []platform.Problem `json:"problems,omitempty"`    // of rendering for it
	Clusters    []Cluster          `json:"clusters,omitempty"`

	PromotesFrom []string   `json:"promotesFrom,omitempty"`
	Order        int        `json:"order"`               // how many environments come before it at most; the Board counts them
	Next         time.Time  `json:"next,omitzero"`       // when something can change here by itself
	Decisions    []Decision `json:"decisions,omitempty"` // the Holds, Pins and Overrides in force: somebody has to take them back one day
	Deletions    string     `json:"deletions,omitempty"` // digest of the deletions that wait for an Approval
	Plan         string     `json:"plan,omitempty"`      // digest of the environment change that waits for an Approval
}

// Decision is a Hold, a Pin or an Override that is in force.
type Decision struct {
	Kind   string    `json:"kind"`
	File   string    `json:"file"`
	About  string    `json:"about"` // such as "payments/shop" or "cluster eu-1"
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"` // when it ends by itself
}

// Cluster is the status of one cluster of an environment.
type Cluster struct {
	Name      string    `json:"name"`
	State     string    `json:"state"`            // active, paused or draining
	Reason    string    `json:"reason,omitempty"` // for its state, as its file gives it
	Wave      string    `json:"wave,omitempty"`   // of its environment's rollout
	UID       string    `json:"uid,omitempty"`
	Reachable bool      `json:"reachable"`
	Message   string    `json:"message,omitempty"` // why it is not reachable, or is not written to
	Problem   string    `json:"problem,omitempty"` // the fault that a person must mend before the environment is written to it
	Since     time.Time `json:"since,omitzero"`    // when this began; where it is not reachable: when it last answered

	// Refusing says for which causes its API server refuses several instances, and how many wait.
	Refusing string `json:"refusing,omitempty"`

	Version    string     `json:"version,omitempty"` // of Kubernetes, as the cluster said last
	Credential Credential `json:"credential,omitzero"`
}

// Credential is how a cluster is reached, as far as the credential itself says it.
type Credential struct {
	Source  string    `json:"source,omitempty"`  // its file or Secret
	User    string    `json:"user,omitempty"`    // whom the cluster takes the daemon for
	Expires time.Time `json:"expires,omitzero"`  // when it ends
	Warning string    `json:"warning,omitempty"` // the fault that a person must mend before the cluster is lost by it
}

// Stage is how far a placement has come.
type Stage string

// The stages, in order. A Problem is no stage: it keeps a placement where it is.
const (
	Rendered  Stage = "Rendered"
	Committed Stage = "Committed"
	Applied   Stage = "Applied"
	Healthy   Stage = "Healthy"
)

// Instance is one request in one environment.
type Instance struct {
	Environment string              `json:"environment"`
	Request     platform.RequestKey `json:"request"`
	Offering    string              `json:"offering,omitempty"`
	Version     string              `json:"version,omitempty"`
	Release     string              `json:"release,omitempty"`
	Commit      string              `json:"commit,omitempty"` // the platform commit that yielded the release
	File        string              `json:"file,omitempty"`   // the request's file
	Absent      bool                `json:"absent,omitempty"` // removed; gone once no placement is left
	Outputs     map[string]any      `json:"outputs,omitempty"`
	Display     []platform.Shown    `json:"display,omitempty"`  // the parameters that its version marks to be shown
	Problems    []platform.Problem  `json:"problems,omitempty"` // why the merged request is not the one that runs
	Placements  []Placement         `json:"placements,omitempty"`
	MergedAt    time.Time           `json:"mergedAt,omitzero"` // when the platform commit was made

	PromotedFrom []string           `json:"promotedFrom,omitempty"`
	Gates        []state.PassedGate `json:"gates,omitempty"`     // that it passed
	Candidate    *Candidate         `json:"candidate,omitempty"` // the release that it would take next
	Waiting      []Gate             `json:"waiting,omitempty"`   // why it does not take that yet
	Skipped      int                `json:"skipped,omitempty"`   // releases that newer ones overtook before they entered
	Rollout      *Rollout           `json:"rollout,omitempty"`   // nil: the release was healthy in all waves
	Rejected     []Failure          `json:"rejected,omitempty"`  // oldest first
	Proven       []Proof            `json:"proven,omitempty"`    // oldest first
	Debts        []string           `json:"debts,omitempty"`     // decisions that bind it until they are removed
}

// Placement is one instance on one cluster.
type Placement struct {
	Cluster     string          `json:"cluster"`
	Stage       Stage           `json:"stage"`
	Health      state.Health    `json:"health"`
	Message     string          `json:"message,omitempty"`
	Held        string          `json:"held,omitempty"` // why nothing of it is applied until a person decides; also among Problems
	Revision    string          `json:"revision,omitempty"`
	StateCommit string          `json:"stateCommit,omitempty"`
	Release     string          `json:"release,omitempty"` // where it is not the instance's own, as its wave is still to come
	Version     string          `json:"version,omitempty"`
	Objects     []Object        `json:"objects,omitempty"`
	Problems    []ObjectProblem `json:"problems,omitempty"`
	Images      []string        `json:"images,omitempty"`  // of its containers, sorted
	Drift       []ObjectProblem `json:"drift,omitempty"`   // fields that others changed and that are left alone, as its environment asks
	Added       []Added         `json:"added,omitempty"`   // fields that somebody set by hand beside those of its objects
	Leaving     []ObjectProblem `json:"leaving,omitempty"` // objects that are its no more and hang while they are being deleted
	CommittedAt time.Time       `json:"committedAt,omitzero"`
	AppliedAt   time.Time       `json:"appliedAt,omitzero"`
	HealthyAt   time.Time       `json:"healthyAt,omitzero"`
	Adoption    *Adoption       `json:"adoption,omitempty"` // that waits for an Approval; nothing is written until then
	LetGo       []string        `json:"letGo,omitempty"`    // adopted objects that are the instance's no more, such as "ConfigMap payments/web"

	reported    bool // the cluster reported about it, or about the one before it, while the Board watched
	alarmed     bool // an alarm was recorded, and that it is healthy again was not
	withCluster bool // nothing else is wrong than that nothing of its environment is written on the cluster
}

// IsHealthy reports whether the placement came to its revision and is healthy now.
func (p Placement) IsHealthy() bool { return p.Stage == Healthy && p.Health == state.Healthy }

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

// Added is a field of an object that somebody set by hand: its manifest does not have it.
type Added struct {
	Object  string    `json:"object"`
	Field   string    `json:"field"`
	Manager string    `json:"manager"`     // that set it, such as kubectl-edit
	At      time.Time `json:"at,omitzero"` // when the manager last changed something of the object
}

// ObjectProblem is a state of a cluster that a person must fix.
type ObjectProblem struct {
	Object  string `json:"object"` // Kind namespace/name
	Message string `json:"message"`
}

// Level is how much an Event matters to an operator.
type Level string

// The levels of events in which something does not go as it was asked to. An Event without a level is the normal course of
// things.
const (
	Warning Level = "warning" // something waits for a person, was taken back, or is well again
	Error   Level = "error"   // something failed
)

// Event is something that changed.
type Event struct {
	At          time.Time            `json:"at"`
	Level       Level                `json:"level,omitempty"`
	Environment string               `json:"environment,omitempty"`
	Cluster     string               `json:"cluster,omitempty"`
	Request     *platform.RequestKey `json:"request,omitempty"`
	Message     string               `json:"message"`

	Kind  event.Kind `json:"kind,omitempty"` // of those that people are told of
	Found bool       `json:"-"`              // it was so when the Board began to watch: that is no news
	In    []string   `json:"-"`              // the environments of a cluster, where the event is about that alone
	About string     `json:"-"`              // the Problem, or the release that waits
}
