package state

import (
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// Release is the record releases/<team>/<request>.yaml of a state repository: which release runs in that environment and
// why. Rendering writes it; applying and status read it; its Git log is the audit trail.
type Release struct {
	Key platform.RequestKey `json:"-"` // metadata: name, team

	Digest        string                `json:"digest"` // of the release: the request's content with its version
	Absent        bool                  `json:"absent,omitempty"`
	Request       *platform.RequestSpec `json:"request,omitempty"`
	Offering      string                `json:"offering"`
	Version       string                `json:"version"`
	VersionDigest string                `json:"versionDigest"`
	Commit        string                `json:"commit"` // the platform commit that yielded the release
	File          string                `json:"file"`   // the request's file in the platform repository
	Clusters      map[string]Placement  `json:"clusters,omitempty"`
	Outputs       map[string]any        `json:"outputs,omitempty"`

	// Observed are the values of observed outputs that clusters had, by cluster and output.
	Observed map[string]map[string]Observed `json:"observed,omitempty"`

	Promotion Promotion `json:"promotion,omitzero"`

	// The fields of the version, the offering and the request that applying needs.
	Scope    platform.Scope            `json:"scope,omitempty"`
	Health   []platform.Health         `json:"health,omitempty"`
	Ignore   []platform.Ignore         `json:"ignore,omitempty"`
	Observes []platform.ObservedOutput `json:"observes,omitempty"`
	Deletion platform.Deletion         `json:"deletion,omitempty"`
	Adopt    bool                      `json:"adopt,omitempty"`

	// Installed is the release that the instance had first here, with which the hooks of its chart's installation run. It is empty
	// where no chart with hooks was there then. While no release was healthy here, each replaces the one before it, and
	// InstalledAgain says so.
	Installed      string `json:"installed,omitempty"`
	InstalledAgain bool   `json:"installedAgain,omitempty"`

	// OnRemoval is that of the request that ran last; a removal keeps it.
	OnRemoval platform.Removal `json:"onRemoval,omitempty"`
}

// Bindings returns the requests that a release's request is bound to in an environment, by the name of the binding.
func (r *Release) Bindings(environment string) map[string]platform.RequestKey {
	if r.Request == nil {
		return nil
	}
	return (&platform.Request{Key: r.Key, Spec: *r.Request}).BoundTo(environment)
}

// Placement is a release on one cluster.
type Placement struct {
	Revision  string `json:"revision"`  // sha256:<hex> of the file clusters/<cluster>/<team>/<request>.yaml
	RenderKey string `json:"renderKey"` // sha256:<hex> of all that the file depends on
	Namespace string `json:"namespace,omitempty"`

	// Renderer names the renderer that made these bytes. It is empty for state of format 1, which did not name it.
	Renderer string `json:"renderer,omitempty"`

	// Selectors are those that cannot change and are not as rendering anew would have them, because their workload was
	// made under another rule, such as "Deployment shop-web: identity, Job shop-migrate: as-written". As long as a
	// revision has the object, its selector stays.
	Selectors string `json:"selectors,omitempty"`

	// Release and Version name the release of these bytes where it is not the record's own: the cluster's turn has not come.
	Release string `json:"release,omitempty"`
	Version string `json:"version,omitempty"`

	// Anew names the version that these bytes were taken for anew, after another version had brought them. Observations of
	// them before that say nothing of this version: its deadline and its soak begin at zero.
	Anew string `json:"anew,omitempty"`

	// ValueKey is the render key without the values of observed outputs, and without all that is computed: while it stays the same, the
	// bytes change for the sake of these values alone. UrgentKey leaves out only the urgent values, and all that is computed. They are empty
	// where the request is bound to no such output, and in records of before there were any.
	ValueKey  string `json:"valueKey,omitempty"`
	UrgentKey string `json:"urgentKey,omitempty"`

	// Joining says that the cluster joined later than the others and was never healthy yet: it counts nowhere.
	Joining bool `json:"joining,omitempty"`
}

// OnlyValues reports whether the placement differs from the one before it in nothing but the values of observed outputs.
func (p Placement) OnlyValues(before Placement) bool {
	return p.RenderKey != before.RenderKey && p.ValueKey != "" && p.ValueKey == before.ValueKey
}

// Hastens reports whether the placement differs from the one before it in nothing but the values of observed outputs that are urgent.
func (p Placement) Hastens(before Placement) bool {
	return p.RenderKey != before.RenderKey && p.UrgentKey != "" && p.UrgentKey == before.UrgentKey
}

// Observed names the subject of observations on the cluster: a revision, and the version that it was taken for anew.
func (p Placement) Observed() string { return ObservedAs(p.Revision, p.Anew) }

// ObservedAs is Placement.Observed of these.
func ObservedAs(revision, anew string) string {
	if anew == "" {
		return revision
	}
	return revision + "+" + anew
}

// Promotion is the record, in a Release file, of how its instance came to its release and which it may take next. Decisions
// are made from nothing but these records, the platform's files and the observations of clusters, so they are the same after
// a restart.
type Promotion struct {
	// Origin is the release that brought the bytes that run here, where taking this one changed none of them.
	Origin string `json:"origin,omitempty"`

	PromotedFrom []string     `json:"promotedFrom,omitempty"` // environments that proved it, sorted
	Gates        []PassedGate `json:"gates,omitempty"`        // that it passed to enter
	Rollout      *Rollout     `json:"rollout,omitempty"`      // nil: the release was healthy in all waves
	Proven       []Proof      `json:"proven,omitempty"`       // oldest first, bounded
	Ran          []Ran        `json:"ran,omitempty"`          // that were healthy here in all waves before, oldest first, bounded
	Left         *Left        `json:"left,omitempty"`         // set while the release is older than one that ran here; nil: none newer was ever here
	Rejected     []Failure    `json:"rejected,omitempty"`     // oldest first, bounded
	TakenBack    []TakenBack  `json:"takenBack,omitempty"`    // since the last release was healthy here in all waves, oldest first, bounded
	Unproven     string       `json:"unproven,omitempty"`     // why the release proves nothing downstream although it is healthy; empty: it does
	Admitted     []string     `json:"admitted,omitempty"`     // render keys that the Approval of a plan admitted
}

// PassedGate is a gate that was passed.
type PassedGate struct {
	Gate     gate.Name `json:"gate"`               // one of package gate
	Figure   string    `json:"figure,omitempty"`   // such as "30m0s in staging"
	Decision string    `json:"decision,omitempty"` // the decision's file, if a person opened it
	Commit   string    `json:"commit,omitempty"`   // the platform commit that brought that file
	Author   string    `json:"author,omitempty"`   // of that commit
}

// Rollout is a change on its way over the clusters of its environment.
type Rollout struct {
	Cause   Cause     `json:"cause"`
	Group   string    `json:"group,omitempty"`   // the change that is rolled out over many instances together; empty: it moves alone
	Entered time.Time `json:"entered"`           // when its first bytes were committed
	Moved   []string  `json:"moved,omitempty"`   // clusters whose bytes it changed, sorted; it is judged by these
	Pending []string  `json:"pending,omitempty"` // clusters that it has not reached, sorted
	Stopped string    `json:"stopped,omitempty"` // why it goes no further by itself
}

// Proof is a release that was healthy here on all counting clusters for so long.
type Proof struct {
	Digest        string                `json:"digest"`
	Origin        string                `json:"origin,omitempty"`
	Absent        bool                  `json:"absent,omitempty"`
	Request       *platform.RequestSpec `json:"request,omitempty"`
	Offering      string                `json:"offering"`
	Version       string                `json:"version"`
	VersionDigest string                `json:"versionDigest"`
	Commit        string                `json:"commit"`
	Soaked        string                `json:"soaked"` // a duration
	At            time.Time             `json:"at"`
}

// Ran is a release that was healthy here in all waves, and the state commit that has its records and bytes.
type Ran struct {
	Digest  string `json:"digest"`
	Version string `json:"version"`
	State   string `json:"state"`
}

// Left is the newest release that was left for an older one, by a rollback or a Pin. Nothing that comes before it in
// the platform's history enters by itself.
type Left struct {
	Release string `json:"release"`
	Commit  string `json:"commit"`          // the platform commit that yielded it
	State   string `json:"state,omitempty"` // the state commit that had its bytes when it was left
}

// TakenBack is a release that had not come to be healthy here when one that was healthy before took its place again, because
// a person reverted its merge.
type TakenBack struct {
	Release string `json:"release"`
	State   string `json:"state"` // the state commit that had its bytes
}

// Failure is a render key that failed here and is not taken again by itself.
type Failure struct {
	Cluster   string    `json:"cluster"`
	RenderKey string    `json:"renderKey"`
	Release   string    `json:"release"`
	Version   string    `json:"version"`
	Group     string    `json:"group,omitempty"`
	Object    string    `json:"object,omitempty"`
	Message   string    `json:"message"`
	State     string    `json:"state,omitempty"` // the state commit that had its bytes, if the cluster had them
	At        time.Time `json:"at"`
	Approvals []string  `json:"approvals,omitempty"` // digests of the Approvals that admitted it: a later one readmits it once
}

// Format is the newest format of state repositories that this Transom reads, and the one that it writes. Format 2 names
// the identity of the repository and the renderer of every manifest.
const Format = 2

// Fleet is the record fleet.yaml of a state repository.
type Fleet struct {
	// Format is that of the repository; zero is format 1. A change of it is no reason to commit: it is written along
	// with another change.
	Format int `json:"format,omitempty"`

	// Identity is made once for each state repository, and tells it from every other. It is empty in format 1.
	Identity string `json:"identity,omitempty"`

	Platform string            `json:"platform"`           // last accepted platform commit
	Clusters map[string]string `json:"clusters,omitempty"` // name to UID of its kube-system namespace
}
