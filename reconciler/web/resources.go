package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// notKnown is the error of an ID that no item of a list of nouns has.
func notKnown(noun, id string, known []string) error {
	return refuse(http.StatusNotFound, "there is no %s %s%s", noun, wording.Shorten(id), wording.Suggest(id, known))
}

// unread is the error of a question about a platform that was never read: an empty answer would say that there is nothing, and whoever
// copies it would remove all that they have. nil: it was read.
func unread(p status.Platform) error {
	why := cmp.Or(p.Frozen, p.Error)
	switch {
	case p.Offers() != nil:
		return nil
	case why == "":
		return refuse(http.StatusServiceUnavailable, "the platform is not read yet: the daemon has just begun")
	}
	return refuse(http.StatusServiceUnavailable, "the platform is not read yet: %s", why).
		mendedBy("mend that first: until then nothing is known of the platform")
}

// The parameters of single resources.
type (
	offeringPath struct {
		Offering string `path:"offering"`
	}
	versionPath struct {
		offeringPath
		Version string `path:"version" doc:"Its number, or a constraint such as 1 or ~1.4: the highest that matches."`
	}
	requestPath struct {
		Team    string `path:"team"`
		Request string `path:"request"`
	}
	instancePath struct {
		Environment string `path:"environment"`
		requestPath
	}
	environmentPath struct {
		Environment string `path:"environment"`
	}
	clusterPath struct {
		Cluster string `path:"cluster"`
	}
)

func (p offeringPath) id() string { return p.Offering }
func (p requestPath) id() string  { return p.key().String() }
func (p requestPath) key() platform.RequestKey {
	return platform.RequestKey{Team: p.Team, Name: p.Request}
}
func (p instancePath) id() string    { return p.Environment + "/" + p.requestPath.id() }
func (p environmentPath) id() string { return p.Environment }
func (p clusterPath) id() string     { return p.Cluster }

func (offeringPath) noun() string    { return "offering" }
func (requestPath) noun() string     { return "request" }
func (instancePath) noun() string    { return "instance" }
func (environmentPath) noun() string { return "environment" }
func (clusterPath) noun() string     { return "cluster" }

// The filters of lists.
type (
	offeringFilter struct {
		Team  string `query:"team" doc:"Only what this team may ask for."`
		Words string `query:"q" doc:"Only those whose name, title, description or owner has these words."`
		paging
	}
	requestFilter struct {
		selection
		Offering string `query:"offering" doc:"Only requests for this offering."`
		paging
	}
	instanceFilter struct {
		selection
		Cluster  string `query:"cluster" doc:"Only instances with a placement on this cluster."`
		Offering string `query:"offering" doc:"Only instances of this offering."`
		Version  string `query:"version" doc:"Only instances that run this version."`
		Health   string `query:"health" enum:"Healthy,Progressing,Failed,Suspended,Unknown" doc:"Only instances with a placement of this health."`
		Waiting  bool   `query:"waiting" doc:"Only instances of which a change waits for a gate."`
		objectsParameter
		paging
	}
	environmentFilter struct{ paging }
	clusterFilter     struct {
		Environment string `query:"environment" doc:"Only clusters of this environment."`
		paging
	}
	problemFilter struct {
		selection
		Warnings bool `query:"warnings" doc:"Also Warnings, which block nothing."`
		paging
	}
	driftFilter struct {
		selection
		Cluster string `query:"cluster" doc:"Only drift on this cluster."`
		paging
	}
	decisionFilter struct {
		Environment string        `query:"environment" doc:"Only decisions of this environment."`
		Kind        decision.Kind `query:"kind" enum:"Approval,Hold,Pin,Override" doc:"Only decisions of this kind."`
		paging
	}
)

// resources are the operations about one kind of things each.
func resources(s *server) []operation {
	return []operation{
		listed(s, "/api/v1/offerings", "The catalogue", api.Offerings, offeringFilter.keeps),
		named[offeringPath](s, "/api/v1/offerings/{offering}", "One offering with its versions", api.Offerings),
		asking("/api/v1/offerings/{offering}/versions/{version}", "What a request for a version may say, with the schema of its parameters", comparing{s}.findContract),
		asking("/api/v1/offerings/{offering}/versions/{version}/changes", "What a version changes against the one before, or another one: in its contract, and in its files, with the lines that differ for developers", comparing{s}.findChanges),
		listed(s, "/api/v1/requests", "The requests, each with its instances in a line", api.Requests, requestFilter.keeps),
		named[requestPath](s, "/api/v1/requests/{team}/{request}", "One request", api.Requests),
		listed(s, "/api/v1/instances", "Requests in environments, with their placements and objects", api.Instances, instanceFilter.keeps),
		named[instancePath](s, "/api/v1/instances/{environment}/{team}/{request}", "One request in one environment, down to its objects", api.Instances),
		asking("/api/v1/instances/{environment}/{team}/{request}/history", "The latest commits of the state that changed an instance, the newest first", s.listHistory),
		listed(s, "/api/v1/environments", "The environments; the field order is that of promotion", api.Environments,
			func(environmentFilter, *api.Environment) bool { return true }),
		named[environmentPath](s, "/api/v1/environments/{environment}", "One environment with its clusters", api.Environments),
		listed(s, "/api/v1/clusters", "The clusters of all environments", api.Clusters, clusterFilter.keeps),
		named[clusterPath](s, "/api/v1/clusters/{cluster}", "One cluster", api.Clusters),
		listed(s, "/api/v1/problems", "Mistakes in the platform repository, with file, line and remedy, and why its head is not followed", api.Problems, problemFilter.keeps),
		listed(s, "/api/v1/drift", "Fields that others changed, and that are left alone as their environment asks, and fields that were set by hand", api.Drifts,
			func(f driftFilter, d *api.Drift) bool {
				return f.matches(d.Request) && f.covers(d.Environment) && either(f.Cluster, d.Cluster)
			}),
		listed(s, "/api/v1/debt", "Holds, Pins and Overrides in force, which somebody has to take back", api.Debts,
			func(f decisionFilter, d *api.Debt) bool {
				return either(f.Environment, d.Environment) && either(f.Kind, d.Kind)
			}),
		listed(s, "/api/v1/decisions", "The decisions that were merged", api.Decisions,
			func(f decisionFilter, d *api.Decision) bool {
				return either(f.Environment, d.Environment) && either(f.Kind, d.Kind)
			}),
	}
}

// either says whether a filter is omitted or is the value.
func either[S ~string](filter, value S) bool { return filter == "" || filter == value }

func (f offeringFilter) keeps(o *api.Offering) bool {
	if f.Team != "" && len(o.Teams) > 0 && !slices.Contains(o.Teams, f.Team) {
		return false
	}
	text := strings.ToLower(strings.Join([]string{o.Name, o.Title, o.Description, o.Owner}, " "))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(f.Words)), func(word string) bool { return !strings.Contains(text, word) })
}

func (f requestFilter) keeps(r *api.Request) bool {
	in := slices.ContainsFunc(r.Instances, func(in api.Running) bool { return f.covers(in.Environment) })
	return f.matches(r.Request) && either(f.Offering, r.Offering) && (f.Environment == "" || in)
}

func (f instanceFilter) keeps(in *api.Instance) bool {
	placed := func(p status.Placement) bool {
		return either(f.Cluster, p.Cluster) && either(f.Health, string(p.Health))
	}
	if (f.Cluster != "" || f.Health != "") && !slices.ContainsFunc(in.Placements, placed) {
		return false
	}
	if f.Waiting && len(in.Waiting) == 0 {
		return false
	}
	if !f.matches(in.Request) || !f.covers(in.Environment) || !either(f.Offering, in.Offering) || !either(f.Version, in.Version) {
		return false
	}
	narrowed := []status.Instance{in.Instance}
	f.narrow(narrowed)
	in.Instance = narrowed[0]
	return true
}

func (f clusterFilter) keeps(c *api.Cluster) bool {
	return f.Environment == "" || slices.ContainsFunc(c.Memberships, func(m api.Membership) bool { return m.Environment == f.Environment })
}

func (f problemFilter) keeps(p *api.Problem) bool {
	if p.Warning && !f.Warnings {
		return false
	}
	return len(f.selection.problems([]platform.Problem{p.Problem})) > 0
}
