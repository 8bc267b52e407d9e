package apply

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"transom.dev/render/platform"
	"transom.dev/render/sealed"
)

// Owner names an instance on whichever clusters it is. An Owner without a Request is the namespace of a team.
type Owner struct {
	Environment string `json:"environment"`
	Team        string `json:"team"`
	Request     string `json:"request"`
}

// String is the form ENVIRONMENT/TEAM/REQUEST.
func (o Owner) String() string { return o.Environment + "/" + o.Team + "/" + o.Request }

// Key names the instance's request.
func (o Owner) Key() platform.RequestKey { return platform.RequestKey{Team: o.Team, Name: o.Request} }

// Compare orders owners by environment, team and request.
func (o Owner) Compare(p Owner) int {
	return cmp.Or(
		strings.Compare(o.Environment, p.Environment),
		strings.Compare(o.Team, p.Team),
		strings.Compare(o.Request, p.Request),
	)
}

// State is a commit of a state repository. A later one has a higher Sequence; 0 is unknown, and is older than nothing.
type State struct {
	Sequence int64
	Commit   string
}

// String is the form of the annotation: SEQUENCE COMMIT.
func (s State) String() string { return strconv.FormatInt(s.Sequence, 10) + " " + s.Commit }

// readState is the zero State for a text that is not of the form.
func readState(text string) State {
	sequence, commit, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(sequence, 10, 64)
	if err != nil {
		return State{}
	}
	return State{Sequence: n, Commit: commit}
}

// outranks says whether s is surely later than t.
func (s State) outranks(t State) bool { return t.Sequence != 0 && s.Sequence > t.Sequence }

// Instance is the desired state of one instance on one cluster: plain values, read from a state snapshot.
type Instance struct {
	Owner
	Revision  string    // sha256:<hex> of Manifests
	Anew      string    // that of the placement's record: observations of Revision from before it count for nothing
	State     State     // that all of this was read from
	Lineage   *Lineage  // that State is of; nil: nobody else keeps the environment
	Fetched   time.Time // when the reading of that state began, by our clock; zero: nobody else applies states
	Namespace string    // of everything namespaced; of no effect for a cluster-scoped version

	// NamespaceManifest is the team's _namespace.yaml: the Namespace and the objects that the environment puts around it. It is
	// applied first and never pruned. It is empty for a cluster-scoped version.
	NamespaceManifest []byte

	// Manifests is the instance's file in the state repository. With Absent it is not read, and all that the
	// inventory lists is pruned; without, a file that has no object is a Problem and prunes nothing.
	Manifests []byte
	Absent    bool

	// Recorded says of an Absent instance that its state records the removal. The inventory outlives the objects that it
	// listed for as long, so that the removal's soak can be remembered.
	Recorded bool

	Scope    platform.Scope
	Health   []platform.Health
	Ignore   []platform.Ignore
	Deletion platform.Deletion
	Observes []platform.ObservedOutput // whose values are read of the objects

	// Adopt takes over objects that exist and are nobody's, rather than refuse them: also those that were kept when another
	// request was removed. An object that is another instance's, or is around the namespace, is refused all the same, and so
	// is a Namespace that the environment does not name. It means nothing for the instance's own objects.
	Adopt bool

	// Approved are the digests of adoptions that people approved. Taking over an object that would lose something by it waits
	// for one.
	Approved []string

	// AdoptNamespaces are the namespaces that the environment lets be taken over where they exist and are nobody's.
	AdoptNamespaces []string

	// OnRemoval says whether an adopted object is deleted once nobody desires it any more; by default it is let go.
	OnRemoval platform.Removal

	// Accounts, if set, name the ServiceAccounts as which the instance's objects are written. nil: the daemon writes them as itself.
	Accounts *Accounts

	// Keys, if set, read the keys of sealed Secrets. They are asked for each time that one is written. nil: there are none.
	Keys func() (*sealed.Keys, error)

	// Proof, if set, says whether the objects of the state may be written. nil: all may.
	Proof Proof

	// Refused are objects that the API server refused, and that are kept as they are without a request, because another instance that
	// was refused for the same is tried; nil: none are.
	Refused *Refusal

	// External says that another agent applies the manifests, whose objects then carry their digest themselves. Only the
	// inventory and the values of generated Secrets are written.
	External bool

	// Superseded reads the manifests that this cluster had of revisions that failed here or were taken back, if their
	// versions may be left without a person. A pod of one of them that never started may be deleted where it keeps a
	// StatefulSet from coming to its present revision. It is only asked where there is such a pod; nil: none is deleted.
	Superseded func(context.Context) ([][]byte, error)

	// Reversible says that the version that runs may be left without a person; else no pod is deleted.
	Reversible bool

	// ReportDrift leaves fields that others took as they are while the object itself shall not change, and names them
	// in Result.Drift. An object that is gone is made again all the same: it cannot be told from one that never was.
	ReportDrift bool
}
