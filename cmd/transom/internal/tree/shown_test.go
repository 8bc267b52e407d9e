package tree_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var (
	began = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	shop  = platform.RequestKey{Team: "payments", Name: "shop"}
)

// accident is a status in which everything is said that a status can say.
func accident() status.Status {
	ago := func(d time.Duration) time.Time { return began.Add(-d) }
	return status.Status{
		Leader: "transom-0",
		Platform: status.Platform{
			URL: "https://git.acme.example/platform.git", Branch: "main", Commit: "9f2c1ab000", LoadedAt: ago(time.Hour), Error: "the platform cannot be fetched",
			Problems: []platform.Problem{{File: "policies/one.yaml", Message: "is no policy"}}, Forge: map[string]string{"statuses": "403"},
		},
		Environments: []status.Environment{{
			Name: "prod", StateURL: "https://git.acme.example/state-prod.git", StateBranch: "main", Commit: "9f2c1ab000", StateCommit: "77de09f000", Did: "shop 1.1.0",
			Frozen: "the platform was rewound", Error: "the state cannot be pushed", Problems: []platform.Problem{{File: "environments/prod.yaml", Message: "is odd"}},
			PromotesFrom: []string{"staging"}, Order: 1, Next: began.Add(time.Hour), Deletions: "sha256:dddddddd", Plan: "sha256:eeeeeeee",
			Decisions: []status.Decision{{Kind: "Hold", File: "decisions/prod/hold.yaml", About: "payments/shop", Reason: "an audit", Until: began.Add(time.Hour)}},
			Clusters: []status.Cluster{
				{Name: "one", State: "active", Wave: "canary", Reachable: true, Refusing: "a quota is used up", Version: "v1.37.0", Since: ago(time.Hour), Credential: status.Credential{
					Source: "one.kubeconfig", User: "transom", Expires: began.Add(time.Hour), Warning: "the token ends in an hour",
				}},
				{Name: "two", State: "paused", Reason: "an upgrade", Wave: "all", UID: "u2", Reachable: true, Message: "is paused", Since: ago(time.Minute)},
				{Name: "three", State: "active", Wave: "all", Message: "connection refused", Since: ago(time.Minute)},
				{Name: "four", State: "active", Wave: "all", Reachable: true, Problem: "four answers with another identity"},
			},
		}},
		Instances: []status.Instance{failing(ago)},
	}
}

// failing is an instance of an accident, whose times are before it.
func failing(ago func(time.Duration) time.Time) status.Instance {
	return status.Instance{
		Environment: "prod", Request: shop, Offering: "web", Version: "1.1.0", Release: "sha256:aaaaaaaaaa", Commit: "9f2c1ab000", File: "requests/payments/shop.yaml",
		Outputs: map[string]any{"host": "shop.example"}, Display: []platform.Shown{{Name: "size", Value: "large"}},
		Links:    []platform.Link{{Name: "Runbook", URL: "https://runbooks.example/shop"}},
		Problems: []platform.Problem{{File: "requests/payments/shop.yaml", Line: 3, Message: "is wrong"}}, MergedAt: ago(time.Hour),
		PromotedFrom: []string{"staging"}, Gates: []state.PassedGate{{Gate: "soak", Figure: "1m in staging"}},
		Candidate: &status.Candidate{
			Release: "sha256:bbbbbbbbbb", Offering: "web", Version: "1.2.0", Commit: "88ee10a000", MergedAt: ago(time.Minute),
			Changes: []platform.Difference{{Field: "parameters.image", Before: "shop:1", After: "shop:2"}},
		},
		Waiting: []status.Gate{{Name: "approval", Reason: "needs an Approval", Since: ago(time.Minute), Opens: "an Approval"}, {Name: "window", Reason: "closed", At: began.Add(time.Hour)}},
		Skipped: 2, Rollout: &status.Rollout{Cause: "release", Entered: ago(time.Minute), Pending: []string{"three"}, Stopped: "failed on one", Deadline: began.Add(time.Minute)},
		Rejected: []status.Failure{{Release: "sha256:cccccccccc", Version: "1.0.9", Cluster: "one", Object: "Deployment payments/shop", Message: "ErrImagePull", At: ago(time.Hour)}},
		Proven:   []status.Proof{{Release: "sha256:aaaaaaaaaa", Version: "1.1.0", Soaked: "1m0s", At: ago(time.Hour)}},
		Debts:    []string{"decisions/prod/pin.yaml: an audit"},
		Placements: []status.Placement{
			{
				Cluster: "one", Stage: status.Applied, Health: state.Failed, Message: "it failed", Withheld: "nobody proved it", Revision: "r1", StateCommit: "77de09f000",
				Images: []string{"registry.example.com/shop:1.1"}, CommittedAt: ago(time.Hour), AppliedAt: ago(time.Hour),
				Objects:  []status.Object{{Group: "apps", Kind: "Deployment", Namespace: "payments", Name: "shop", Health: state.Failed, Message: "ErrImagePull"}},
				Problems: []status.ObjectProblem{{Object: "ConfigMap payments/shop", Message: "is refused"}},
				Drift:    []status.ObjectProblem{{Object: "Service payments/shop", Message: "spec.ports was changed"}},
				Added: []status.Added{
					{Object: "Deployment.apps payments/shop", Field: "spec.paused", Manager: "kubectl-edit", At: ago(3 * time.Hour)},
					{Object: "Service payments/shop", Field: "metadata.labels.agent", Manager: "kustomize-controller", At: ago(time.Hour), Agent: true},
				},
				Leaving:  []status.ObjectProblem{{Object: "ConfigMap payments/old", Message: "it has been Terminating since noon"}},
				Adoption: &status.Adoption{Digest: "sha256:ffffffff", Effects: []string{"it would lose data.a"}, Untried: []string{"Webhook x"}},
				LetGo:    []string{"ConfigMap payments/old"},
				Outputs:  map[string]any{"endpoint": "db.example.com"},
				Told: []status.Told{
					{Output: "endpoint", Fault: "status.endpoint is missing"}, {Output: "port", Value: "5432"},
				},
			},
			{Cluster: "three", Stage: status.Committed, Health: state.Progressing, Message: "pods come up", Release: "sha256:cccccccccc", Version: "1.0.9"},
		},
	}
}

// rest is a status in which all is well, and one removal waits.
func rest() status.Status {
	at := began.Add(-time.Hour)
	s := status.Status{Platform: status.Platform{URL: "https://git.acme.example/platform.git", Commit: "9f2c1ab000"}, Environments: []status.Environment{{
		Name: "prod", Commit: "9f2c1ab000", Clusters: []status.Cluster{{Name: "one", State: "active", Reachable: true}},
	}}}
	for _, name := range []string{"shop", "till"} {
		s.Instances = append(s.Instances, status.Instance{
			Environment: "prod", Request: platform.RequestKey{Team: "payments", Name: name}, Offering: "web", Version: "1.1.0", Release: "sha256:aaaaaaaaaa",
			Placements: []status.Placement{{
				Cluster: "one", Stage: status.Healthy, Health: state.Healthy, Revision: "r1", Images: []string{"shop:1.1"}, HealthyAt: at,
				Objects: []status.Object{{Kind: "Deployment", Name: "shop", Health: state.Healthy}},
			}},
		})
	}
	s.Instances[1].Candidate = &status.Candidate{Release: "sha256:bbbbbbbbbb", Version: "1.1.0", Absent: true}
	s.Instances[1].Waiting = []status.Gate{{Name: "approval", Reason: "its removal needs an Approval"}}
	return s
}

// begins is the status of a daemon that has not looked at its environment yet.
func begins() status.Status {
	return status.Status{
		Platform:     status.Platform{URL: "https://git.acme.example/platform.git", Commit: "9f2c1ab000"},
		Environments: []status.Environment{{Name: "prod", Commit: "9f2c1ab000"}},
	}
}

// printed is a status as "transom status" prints it, folded and opened.
func printed(s status.Status) string {
	var out strings.Builder
	for _, open := range []bool{false, true} {
		p := tree.Printer{W: &out, Open: open, Now: began}
		p.Status(s, false)
	}
	return out.String()
}

// A still is a Board on which nothing happens.
type still struct{ now status.Status }

func (b still) Status() status.Status                { return b.now }
func (b still) History() []status.Event              { return nil }
func (b still) Subscribe() (<-chan struct{}, func()) { return nil, func() {} }

// pages are the pages of the console that show a status, one after the other.
func pages(t *testing.T, s status.Status) string {
	t.Helper()
	mux := http.NewServeMux()
	c := console.New(console.Options{
		Board: still{s}, Now: func() time.Time { return began }, Leader: func() string { return s.Leader },
		Person: func(*http.Request) console.Person { return console.Person{} },
	})
	for route, page := range c.Routes() {
		mux.Handle(route, page)
	}
	var all strings.Builder
	for _, path := range []string{
		"/", "/fleet", "/requests/payments/shop?environment=prod", "/requests/payments/till?environment=prod", "/environments/prod",
		"/clusters/one", "/clusters/two", "/clusters/three", "/clusters/four", "/problems", "/changes/9f2c1ab", "/changes/88ee10a",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Contains(t, w.Body.String(), "</html>", path)
		all.WriteString(w.Body.String())
	}
	return all.String()
}

// change gives the field that comes at a place in a status, counted depth first, another value, and returns its name.
func change(v reflect.Value, place int) (name string, more bool) {
	c := changer{left: place}
	c.visit(v)
	return c.changed, c.changed != ""
}

type changer struct {
	left    int
	changed string
}

func (c *changer) visit(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.visit(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.visit(v.Index(i))
		}
	case reflect.Struct:
		if !isShown(v.Type()) {
			return
		}
		for f, field := range v.Fields() {
			if c.changed != "" || !f.IsExported() {
				continue
			}
			if c.left == 0 {
				c.changed = v.Type().Name() + "." + f.Name
				alter(field)
				return
			}
			c.left--
			c.visit(field)
		}
	}
}

// isShown says whether the fields of a type are shown one by one.
func isShown(of reflect.Type) bool {
	ours := of.PkgPath() == reflect.TypeFor[status.Status]().PkgPath()
	return ours || of == reflect.TypeFor[platform.Shown]() || of == reflect.TypeFor[platform.Link]()
}

// alter gives a value another one of its type.
func alter(v reflect.Value) {
	switch value := v.Addr().Interface().(type) {
	case *time.Time:
		*value = began.Add(7 * time.Hour)
	case *state.Health:
		*value = state.Suspended
	case *status.Stage:
		*value = status.Rendered
	case *any:
		*value = "altered"
	case *string:
		*value = "altered" + *value
	case *bool:
		*value = !*value
	case *int:
		*value += 5
	default:
		if v.Kind() == reflect.String {
			v.SetString("altered" + v.String())
			return
		}
		v.SetZero()
	}
}
