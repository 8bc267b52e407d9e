package console_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// tasksOf are the lines of Home by the name of that which they are about, as text.
func tasksOf(t *testing.T, o console.Options) map[string]string {
	t.Helper()
	_, body := serve(o)(t, "/")
	tasks := map[string]string{}
	for _, one := range strings.Split(body, `<li class="task `)[1:] {
		one, _, _ = strings.Cut(one, "</li>")
		_, name, _ := strings.Cut(one, "<b>")
		name, _, _ = strings.Cut(name, "</b>")
		tasks[name] = html.UnescapeString(one)
	}
	return tasks
}

// TestHomeSaysTheNextStep about each kind of task: a sentence, and a link to the page for it.
func TestHomeSaysTheNextStep(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	at := func(name string, p status.Placement) status.Instance {
		p.Cluster = "one"
		return status.Instance{Environment: "dev", Request: platform.RequestKey{Team: "store", Name: name}, Offering: "web", Version: "1.2.0", File: "requests/store/" + name + ".yaml", Placements: []status.Placement{p}}
	}
	fault := func(message string) status.Placement {
		return status.Placement{Health: state.Progressing, Problems: []status.ObjectProblem{{Object: "Secret store/keys", Message: message}}}
	}
	wrong := func(name, file string) status.Instance {
		in := at(name, status.Placement{Health: state.Healthy})
		in.Problems = []platform.Problem{{File: file, Line: 3, Message: "is wrong"}}
		return in
	}
	waits := func(name string, gates ...status.Gate) status.Instance {
		in := at(name, status.Placement{Health: state.Healthy})
		in.Candidate, in.Waiting = &status.Candidate{Release: "sha256:b", Version: "1.3.0"}, gates
		return in
	}
	stopped := at("stopped", status.Placement{Health: state.Healthy})
	stopped.Rollout = &status.Rollout{Stopped: "one failed"}
	all := []status.Instance{
		at("failed", status.Placement{Health: state.Failed, Message: "crashes"}), at("refused", fault(state.Refused+"admission webhook denied the request")), at("sealed", fault(state.Unopened+"no key")),
		at("other", fault("is another's")), at("denied", fault(state.Refused+`secrets "keys" is forbidden: User "system:serviceaccount:transom:transom" cannot patch resource "secrets"`)), wrong("mistake", "requests/store/mistake.yaml"), wrong("unsealed", "requests/store/unsealed.dev.secret.yaml"), wrong("offered", "offerings/web/1.2.0/version.yaml"),
		waits("approve", status.Gate{Name: gate.Approval, Reason: "nobody approved it"}), waits("rejected", status.Gate{Name: gate.Rejected, Reason: "it failed"}), stopped,
	}
	decided := func(name, kind, until string) fstest.MapFS {
		return fstest.MapFS{"decisions/dev/" + name + ".yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {request: store/failed, reason: x, until: " + until + "}\n")}}
	}
	b := status.NewBoard(func() time.Time { return now })
	p := offering(t, decided("over", "Hold", "2026-12-01T11:00:00Z"), decided("standing", "Hold", "2026-12-01T13:00:00Z"), fstest.MapFS{
		"environments/dev.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  logs: true\n  state: {url: ../state-dev.git}\n  clusters: {matchLabels: {environment: dev}}\n")},
	})
	p.Problems = append(p.Problems, platform.Problem{File: "requests/store/nowhere.yaml", Message: "is wrong", Request: &platform.RequestKey{Team: "store", Name: "nowhere"}})
	b.Loaded("https://github.com/acme/platform.git", p)
	b.Reconciled(status.Environment{Name: "dev"}, all)
	person := console.Person{Name: "somebody", In: func(team string) bool { return team == "store" }}
	o := console.Options{
		Board: b, Now: func() time.Time { return now }, Person: func(*http.Request) console.Person { return person },
		See:  func(*http.Request, console.Look) (console.Seen, error) { return console.Seen{}, nil },
		Open: func(*http.Request, console.ManifestLook) (console.Manifests, error) { return console.Manifests{}, nil },
	}
	const forge = "https://github.com/acme/platform/blob/"
	const page = "/requests/store/"
	for name, want := range map[string][2]string{
		"failed":   {"Read why in the log and the Events of its pods, and merge a fix.", page + "failed/pods?cluster=one&environment=dev"},
		"refused":  {"Change the value that the cluster refuses; if none of the request's is to blame, tell the offering's owner.", forge},
		"sealed":   {"Seal its values anew, or have the operators give the daemon a key that opens them.", "/docs/developer#give-a-secret"},
		"denied":   {"Have the operators of the cluster give the user that the message names the right that it lacks.", page + "denied?environment=dev#on-one"},
		"other":    {"Mend it as the message says.", page + "other?environment=dev#on-one"},
		"mistake":  {"Mend requests/store/mistake.yaml, and merge that.", forge},
		"unsealed": {"Seal the values by the command that the message names, and merge their file.", "/docs/developer#give-a-secret"},
		"offered":  {"Whoever owns offerings/web/1.2.0/version.yaml mends it.", forge},
		"approve":  {"See what it changes, object by object.", page + "approve/manifests?cluster=one&environment=dev&with=next#differences"},
		"rejected": {"See what it changes, object by object.", page + "rejected/manifests?cluster=one&environment=dev&with=next#differences"},
		"stopped":  {"See which cluster it failed on, and merge a fix or another version.", page + "stopped?environment=dev#clusters"},
		"nowhere":  {"Mend requests/store/nowhere.yaml, and merge that.", forge},
	} {
		task := tasksOf(t, o)["store/"+name]
		require.Contains(t, task, `<span class="todo">`+want[0]+` <a href="`+want[1], name)
		require.Equal(t, 1, strings.Count(task, `class="todo"`), name)
	}
	tasks := tasksOf(t, o)
	require.Contains(t, tasks["Hold over"], `is over, and decides nothing any more`)
	require.Contains(t, tasks["Hold over"], `<span class="todo">Delete decisions/dev/over.yaml, and merge that. <a href="`+forge)
	require.NotContains(t, tasks, "Hold standing")

	o.Edit = func(context.Context, string, []console.Assignment) (string, error) { return "", nil }
	require.NotContains(t, tasksOf(t, o)["store/refused"], "/edit", "the platform has no such request, and there is no form of it")
	b.Loaded("https://github.com/acme/platform.git", offering(t, fstest.MapFS{"requests/store/refused.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: refused}\nspec: {offering: web, version: \"1\", parameters: {image: 'a:b'}, environments: {dev: {}}}\n")}}))
	require.Contains(t, tasksOf(t, o)["store/refused"], `<a href="/requests/store/refused/edit">Edit the request</a>`)
	b.Loaded("https://github.com/acme/platform.git", p)
	person.In = nil
	require.Contains(t, tasksOf(t, o)["store/failed"], `See which of its objects failed, and merge a fix. <a href="/requests/store/failed?environment=dev#on-one">`)
	require.NotContains(t, tasksOf(t, o)["store/rejected"], `class="todo"`, "its command says it")
	require.Contains(t, tasksOf(t, o)["store/approve"], `See what it waits for. <a href="/requests/store/approve?environment=dev#waiting">`)
	person.Teams = []string{"search"}
	require.NotContains(t, tasksOf(t, o), "store/nowhere")
}

// TestHomeIsMadeAnewWhenADecisionEnds, though nothing else changes.
func TestHomeIsMadeAnewWhenADecisionEnds(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	b := status.NewBoard(func() time.Time { return now })
	b.Loaded("https://github.com/acme/platform.git", offering(t, fstest.MapFS{
		"decisions/dev/freeze.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Hold\nmetadata: {name: freeze}\nspec: {reason: x, until: 2026-12-01T13:00:00Z}\n")},
	}))
	get := serve(console.Options{Board: b, Now: func() time.Time { return now }})
	for _, later := range []time.Duration{0, 59 * time.Minute, time.Minute} {
		now = now.Add(later)
		_, body := get(t, "/")
		require.Equal(t, later == time.Minute, strings.Contains(body, "Hold freeze"), now)
	}
}

// TestAReleaseThatWaitsLeadsToItsPlan, where whoever looks may see manifests.
func TestAReleaseThatWaitsLeadsToItsPlan(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	in := status.Instance{
		Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Placements: []status.Placement{{Cluster: "one", Health: state.Healthy}},
		Candidate: &status.Candidate{Release: "sha256:b", Version: "1.3.0", Changes: []platform.Difference{{Field: "parameters.image", Before: "a", After: "b"}}},
		Waiting:   []status.Gate{{Name: gate.Approval, Reason: "nobody approved it"}},
	}
	b.Reconciled(status.Environment{Name: "dev"}, []status.Instance{in})
	person := console.Person{}
	get := serve(console.Options{
		Board: b, Person: func(*http.Request) console.Person { return person },
		Open: func(*http.Request, console.ManifestLook) (console.Manifests, error) { return console.Manifests{}, nil },
	})
	const link = `<a id="plan" href="/requests/store/shop/manifests?cluster=one&amp;environment=dev&amp;with=next#differences">`
	_, body := get(t, "/requests/store/shop")
	require.NotContains(t, body, `id="plan"`)
	person = console.Person{Role: "developer", Teams: []string{"store"}, In: func(string) bool { return true }}
	_, body = get(t, "/requests/store/shop")
	require.Contains(t, body, link)
	in.Placements = nil
	b.Reconciled(status.Environment{Name: "dev", StateCommit: "s2"}, []status.Instance{in})
	_, body = get(t, "/requests/store/shop")
	require.NotContains(t, body, `id="plan"`, "there is nothing to compare it with")
}

// TestHomeOfATeamTellsOfItsDecisionsAlone, and leads to a page that there is also where a decision is for an environment that there is not.
func TestHomeOfATeamTellsOfItsDecisionsAlone(t *testing.T) {
	files := fstest.MapFS{}
	for _, of := range [][2]string{{"dev", "store"}, {"dev", "search"}} {
		files["decisions/"+of[0]+"/"+of[0]+"-"+of[1]+".yaml"] = &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Hold\nmetadata: {name: " + of[0] + "-" + of[1] + "}\nspec: {team: " + of[1] + ", reason: x, until: 2020-01-01T00:00:00Z}\n")}
	}
	b := status.NewBoard(time.Now)
	p := offering(t, files)
	lost := *p.Decisions[0]
	lost.Name, lost.Environment, lost.Team = "nowhere-store", "nowhere", "store"
	p.Decisions = append(p.Decisions, &lost)
	b.Loaded("https://example.com/platform.git", p)
	b.Reconciled(status.Environment{Name: "dev"}, nil)
	get := serve(console.Options{Board: b})
	_, body := get(t, "/")
	for _, name := range []string{"dev-store", "dev-search", "nowhere-store"} {
		require.Contains(t, body, "Hold "+name)
	}
	require.NotContains(t, body, "/environments/nowhere")
	_, body = get(t, "/?team=store")
	require.Contains(t, body, "Hold dev-store")
	require.NotContains(t, body, "Hold dev-search")
}

// TestHomeAsksOnceWhoLooks, however many tasks there are: to know that may take a look at CODEOWNERS.
func TestHomeAsksOnceWhoLooks(t *testing.T) {
	asked := func(requests int) (times int) {
		b := status.NewBoard(time.Now)
		b.Loaded("https://github.com/acme/platform.git", offering(t))
		var all []status.Instance
		for n := range requests {
			all = append(all, status.Instance{
				Environment: "dev", Request: platform.RequestKey{Team: "store", Name: fmt.Sprintf("shop-%d", n)}, Offering: "web", Version: "1.2.0",
				Placements: []status.Placement{{Cluster: "one", Health: state.Failed, Message: "crashes"}},
			})
		}
		b.Reconciled(status.Environment{Name: "dev"}, all)
		get := serve(console.Options{
			Board: b, Person: func(*http.Request) console.Person {
				times++
				return console.Person{Name: "somebody", In: func(string) bool { return true }}
			},
			See: func(*http.Request, console.Look) (console.Seen, error) { return console.Seen{}, nil },
		})
		_, body := get(t, "/")
		require.Contains(t, body, "store/shop-0")
		return times
	}
	require.Equal(t, asked(1), asked(20))
}
