package console

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// gitTime bounds how long a page waits for Git.
const gitTime = 3 * time.Second

// A requestPage is one request: its way through the environments, and all that is known of it in one of them.
type requestPage struct {
	Key        platform.RequestKey
	Offering   string
	File       string
	Pipeline   *pipeline
	Row        *row
	In         *status.Instance
	Env        *status.Environment
	Verdict    verdict
	Word       string
	Why        string
	Refused    string // why another release than the one that runs does not come by itself any more
	Placements []placementView
	Outputs    []output
	Commands   []string
	Commits    bool // the activity tells of it
	Edits      bool // a form changes it
	Closed     []closedGate
	Promote    string // the command that opens the gate that waits for a person
	Failures   []status.Failure
	Proof      string
	Origin     []Rung
	NoOrigin   string
	History    []Past
	NoHistory  string
	Bound      []platform.RequestKey // that are bound to it
	Pods       bool                  // whoever looks may see its pods
	NoPods     string                // why a developer of the team may not
	Absent     string                // the environment that was asked for, where the request is not in it
	Manifests  bool                  // and its manifests
}

// A placementView is a placement of the page's instance.
type placementView struct {
	*status.Placement
	Wave    string
	Verdict verdict
	Flag    *flag
	Steps   []step
	Tree    []*node // of its objects; its pods are asked for by the page's script
	More    int     // objects that it leaves out
	Open    bool
}

// A step is a stage on the way from merge to healthy.
type step struct {
	Name    string
	At      time.Time
	Reached bool
}

// An output is a value that others can be told.
type output struct{ Name, Value string }

func (c *Console) request(r *http.Request, m *model) (*view, error) {
	key := keyOf(r.PathValue("team"), r.PathValue("name"))
	row := m.byKey[key]
	if row == nil {
		return nil, missing("No environment has a request " + key.String() + ", and none waits. It may not be merged, or was removed.")
	}
	asked := r.URL.Query().Get("environment")
	in := row.on(asked)
	if in == nil {
		in = row.worst()
	}
	page := m.requestPage(row, in)
	if asked != in.Environment {
		page.Absent = wording.Shorten(asked)
	}
	page.Failures, page.Proof = failures(in.Instance), proof(in.Instance)
	page.Bound = bound(m.Platform.Offers(), key, in.Environment)
	who := c.Person(r)
	page.Pods, page.Manifests = onClusters{c}.showsPods(who, m, in.Instance), onClusters{c}.showsManifests(who, in.Instance)
	if page.Manifests && !page.Pods {
		page.NoPods = "No logs: " + in.Environment + " does not say logs: true"
	}
	for _, one := range page.Placements {
		link(one.Tree, in.Instance, one.Cluster, page.Manifests)
	}
	page.Edits = c.Edit != nil && ofRequests{c}.mayEdit(who, key)
	c.readGit(r.Context(), in, page)
	return &view{template: "request", title: key.String(), section: "fleet", main: page, fleeting: page.NoOrigin+page.NoHistory != ""}, nil
}

// worst is the instance that a person would look at first: the one that is worst off, else the last one on the way.
func (r *row) worst() *instance {
	found := r.Instances[len(r.Instances)-1]
	least := len(verdicts)
	for _, in := range r.Instances {
		for _, v := range in.verdicts {
			troubled := v.rank() < waiting.rank()
			if troubled && v.rank() < least {
				found, least = in, v.rank()
			}
		}
	}
	return found
}

func (m *model) requestPage(r *row, in *instance) *requestPage {
	page := &requestPage{
		Key: r.Key, Offering: r.Offering, File: in.File, Row: r, In: in.Instance, Env: m.byName[in.Environment], Pipeline: m.pipelineOf(r, in.Environment),
		Verdict: healthy,
	}
	if len(in.Placements) == 0 {
		page.Verdict, page.Why = verdictOf(in.Instance, nil), reason(in.Instance, nil)
	}
	waves := map[string]string{}
	if page.Env != nil {
		for _, one := range page.Env.Clusters {
			waves[one.Name] = one.Wave
		}
	}
	for i := range in.Placements {
		p := &in.Placements[i]
		one := viewOf(in.Instance, p, waves[p.Cluster])
		if one.Verdict.rank() < page.Verdict.rank() {
			page.Verdict, page.Why = one.Verdict, reason(in.Instance, p)
		}
		page.Placements = append(page.Placements, one)
	}
	if open := func(p placementView) bool { return p.Open }; len(page.Placements) > 0 && !slices.ContainsFunc(page.Placements, open) {
		page.Placements[0].Open = true // all are well, and one shows the objects that the request is
	}
	page.Closed = m.closedGates(in.Instance)
	page.Word = string(page.Verdict)
	if page.Verdict != rejected {
		page.Refused = refused(in.Instance)
		page.tellRefusalOnce()
	}
	if in.Absent {
		page.Word = "Removing"
	}
	for _, name := range slices.Sorted(maps.Keys(in.Outputs)) {
		page.Outputs = append(page.Outputs, output{name, text(in.Outputs[name])})
	}
	page.Outputs = append(page.Outputs, observed(in.Placements)...)
	about := r.Key.String()
	for _, verb := range []string{"explain", "history", "rollback"} {
		page.Commands = append(page.Commands, "transom "+verb+" "+about+" --environment "+in.Environment)
	}
	page.Commands[2] += " --reason WHY"
	if in.Candidate != nil && slices.ContainsFunc(in.Waiting, opensByPerson) {
		page.Promote = "transom promote " + about + " --environment " + in.Environment
	}
	return page
}

// tellRefusalOnce leaves the reason of the gate of a rejected release to the line at the top of the page.
func (p *requestPage) tellRefusalOnce() {
	for i := range p.Closed {
		if p.Closed[i].Name == gate.Rejected && p.Refused != "" {
			p.Closed[i].Reason = ""
		}
	}
}

// opensByPerson says whether an Approval opens a gate.
func opensByPerson(g status.Gate) bool { return g.Name == gate.Approval || g.Name == gate.Rejected }

func viewOf(in *status.Instance, p *status.Placement, wave string) placementView {
	v := verdictOf(in, p)
	one := placementView{Placement: p, Wave: wave, Verdict: v, Flag: flagOf(in, p), Open: v != healthy || len(p.Added)+len(p.Leaving) > 0}
	order := []status.Stage{status.Rendered, status.Committed, status.Applied, status.Healthy}
	times := []time.Time{in.MergedAt, p.CommittedAt, p.AppliedAt, p.HealthyAt}
	names := []string{"Merged", string(status.Committed), string(status.Applied), string(status.Healthy)}
	reached := slices.Index(order, p.Stage)
	for i, name := range names {
		one.Steps = append(one.Steps, step{name, times[i], i <= reached})
	}
	one.Tree, one.More = trim(treeOf(p, nil), len(in.Placements))
	return one
}

// refused says which release was rejected here, the one that would come next or the one that was rolled back; empty: none. The one that
// runs may be well at the same time.
func refused(in *status.Instance) string {
	if i := slices.IndexFunc(in.Waiting, func(g status.Gate) bool { return g.Name == gate.Rejected }); i >= 0 {
		next := "the next release"
		if in.Candidate != nil && in.Candidate.Version != "" {
			next = in.Candidate.Version
		}
		return next + " " + in.Waiting[i].Reason
	}
	causes := status.Causes(in.Rejected)
	if in.Rollout == nil || in.Rollout.Cause != state.CauseRollback || len(causes) == 0 {
		return ""
	}
	last := causes[len(causes)-1]
	return last.Version + " was rolled back: " + last.String()
}

// failures are the releases that were rejected, the latest first, each reason once.
func failures(in *status.Instance) []status.Failure {
	var all []status.Failure
	told := map[string]bool{}
	for _, f := range slices.Backward(status.Causes(in.Rejected)) {
		if in.Candidate != nil && f.Release == in.Candidate.Release && waitingVerdict(in) == rejected {
			continue // its gate tells it
		}
		key := f.Release + " " + f.String()
		if !told[key] {
			told[key] = true
			all = append(all, f)
		}
	}
	return all
}

// proof says that the release that runs was proven here.
func proof(in *status.Instance) string {
	for _, p := range slices.Backward(in.Proven) {
		if p.Release == in.Release {
			return "proven here: healthy for " + p.Soaked
		}
	}
	return ""
}

// bound are the requests that are bound to one in an environment.
func bound(p *platform.Platform, key platform.RequestKey, environment string) []platform.RequestKey {
	if p == nil {
		return nil
	}
	var all []platform.RequestKey
	for _, in := range p.Instances(environment) {
		for _, to := range in.Request.BoundTo(environment) {
			if to == key && !slices.Contains(all, in.Request.Key) {
				all = append(all, in.Request.Key)
			}
		}
	}
	return all
}

// readGit fills in the origin and the history of an instance. A repository that does not answer costs a sentence on the page.
func (c *Console) readGit(ctx context.Context, in *instance, page *requestPage) {
	page.Commits = c.Activity != nil
	ctx, cancel := context.WithTimeout(ctx, gitTime)
	defer cancel()
	var err error
	if c.Origin != nil && in.Release != "" {
		if page.Origin, err = c.Origin(ctx, in.Environment, in.Request); err != nil {
			page.NoOrigin = cmp.Or(err.Error(), "unknown")
		}
	}
	if c.History != nil && in.Release != "" {
		if page.History, err = c.History(ctx, in.Environment, in.Request); err != nil {
			page.NoHistory = err.Error()
		}
	}
}
