package status

import (
	"time"

	"transom.dev/render/decision"
	"transom.dev/render/event"
	"transom.dev/render/platform"
)

// Status is all that is known at one moment, sorted by name. /api/v1/status serves it.
type Status struct {
	Leader       string        `json:"leader,omitempty"` // the replica that this is from; empty: there is one process
	Platform     Platform      `json:"platform"`
	Environments []Environment `json:"environments"`
	Instances    []Instance    `json:"instances"`
}

// Behind names the environments that have not taken in the platform's head yet: which of its instances they will have is not
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

// Decision is a Hold, a Pin or an Override that is in force.
type Decision struct {
	Kind   decision.Kind `json:"kind"`
	File   string        `json:"file"`
	About  string        `json:"about"`          // such as "payments/shop" or "cluster eu-1"
	Team   string        `json:"team,omitempty"` // whose requests alone it is about; empty: several teams'
	Reason string        `json:"reason,omitempty"`
	Until  time.Time     `json:"until,omitzero"` // when it ends by itself
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
