package e2e_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// ladder is a world whose environments promote, on clusters that it shares with other scenarios: the team is its own.
type ladder struct {
	*world
	team    string
	widgets *widgets
	twins   bool // there are two daemons
}

var environmentOf = map[string]string{"dev": "dev", "staging": "staging", "prod-1": "prod", "prod-2": "prod"}

var (
	everyCluster = []string{"dev", "staging", "prod-1", "prod-2"}
	prodClusters = []string{"prod-1", "prod-2"}
)

// saw is everything that a request's Widget ever was on a cluster, oldest first.
func (l *ladder) saw(cluster, request string) (was []string) {
	for _, s := range l.sightings(cluster, request) {
		was = append(was, s.what)
		// A write that was on its way to the cluster when the other daemon went on comes after that, and so does an object which a
		// daemon finds gone and has not fetched yet that it shall be. Either lasts for one pass.
		if n := len(was); l.twins && n >= 4 && slices.Equal(was[n-4:n-2], was[n-2:]) {
			was = was[:n-2]
		}
	}
	return was
}

func (l *ladder) sightings(cluster, request string) []sighting {
	return l.widgets.history(widgetKey{cluster, l.team, request + "-widget"})
}

// since is when a request's Widget became something on a cluster, and when it was healthy as that.
func (l *ladder) since(cluster, request, what string) sighting {
	l.t.Helper()
	for _, s := range l.sightings(cluster, request) {
		if s.what == what {
			return s
		}
	}
	require.FailNow(l.t, fmt.Sprintf("%s never was %s on %s", request, what, cluster))
	return sighting{}
}

// becomes waits until a request's Widget is something on clusters; gone: until it is not there.
func (l *ladder) becomes(request, what string, clusters ...string) {
	l.t.Helper()
	for _, cluster := range clusters {
		l.eventually(fmt.Sprintf("%s becomes %s on %s", request, what, cluster), func() error {
			was := l.saw(cluster, request)
			if len(was) == 0 || was[len(was)-1] != what {
				return fmt.Errorf("so far it was %q; %s", was, l.why(environmentOf[cluster], request))
			}
			return nil
		})
	}
}

// change pushes files.
func (l *ladder) change(message string, changes ...files) string {
	l.t.Helper()
	return l.push(message, files{}.merged(changes...))
}

// instance is the status of a request in an environment.
func (l *ladder) instance(environment, request string) (status.Instance, error) {
	s, err := l.status()
	if err != nil {
		return status.Instance{}, err
	}
	for _, in := range s.Instances {
		if in.Environment == environment && in.Request == (platform.RequestKey{Team: l.team, Name: request}) {
			return in, nil
		}
	}
	return status.Instance{}, fmt.Errorf("status knows no %s/%s in %s", l.team, request, environment)
}

// why is the text of status about where a request stands.
func (l *ladder) why(environment, request string) string {
	in, err := l.instance(environment, request)
	if err != nil {
		return err.Error()
	}
	said, _ := json.Marshal(map[string]any{"waiting": in.Waiting, "rollout": in.Rollout, "problems": in.Problems, "candidate": in.Candidate})
	return "status says: " + string(said)
}

// waits waits until status says that a request waits at a gate of an environment, for a reason that has all the words.
// Without a gate, any will do.
func (l *ladder) waits(environment, request, gate string, words ...string) {
	l.t.Helper()
	l.eventually(fmt.Sprintf("%s waits at the gate %s of %s", request, gate, environment), func() error {
		in, err := l.instance(environment, request)
		if err != nil {
			return err
		}
		for _, g := range in.Waiting {
			said := g.Reason + " " + g.Opens
			if (gate == "" || string(g.Name) == gate) && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(said, word) }) {
				return nil
			}
		}
		return fmt.Errorf("no such gate with %q; %s", words, l.why(environment, request))
	})
}

func (l *ladder) state(environment string) string {
	return filepath.Join(l.dir, "state-"+environment+".git")
}

// record is the Release file of a request, as an environment's state has it now; nil: none.
func (l *ladder) record(environment, request string) *state.Release {
	l.t.Helper()
	data, err := exec.Command("git", "-C", l.state(environment), "show", "main:releases/"+l.team+"/"+request+".yaml").Output()
	if err != nil {
		return nil
	}
	release, err := state.DecodeRelease(data)
	require.NoError(l.t, err)
	return release
}

// records waits until the Release file of a request is as check wants it.
func (l *ladder) records(what, environment, request string, check func(*state.Release) bool) *state.Release {
	l.t.Helper()
	var release *state.Release
	l.eventually(what, func() error {
		if release = l.record(environment, request); release == nil || !check(release) {
			return fmt.Errorf("the record of %s in %s is %+v; %s", request, environment, release, l.why(environment, request))
		}
		return nil
	})
	return release
}

// committed is everything that state ever said of a request's Widget on a cluster, oldest first.
func (l *ladder) committed(cluster, request string) (was []string) {
	l.t.Helper()
	dir := l.state(environmentOf[cluster])
	file := fmt.Sprintf("clusters/%s/%s/%s.yaml", cluster, l.team, request)
	for _, commit := range strings.Fields(l.git(dir, "log", "--reverse", "--format=%H", "main", "--", file)) {
		is := gone
		if data, err := exec.Command("git", "-C", dir, "show", commit+":"+file).Output(); err == nil {
			var widget unstructured.Unstructured
			require.NoError(l.t, yaml.Unmarshal(data, &widget.Object))
			image, _, _ := unstructured.NestedString(widget.Object, "spec", "image")
			build, _, _ := unstructured.NestedString(widget.Object, "spec", "build")
			is = what(image, build)
		}
		if len(was) == 0 || was[len(was)-1] != is {
			was = append(was, is)
		}
	}
	return was
}

// sound requires the conditions of every end, when no daemon runs any more: histories are clean, the state equals the render of
// its Release files, and clusters saw all commits, in that order.
func (l *ladder) sound() {
	l.t.Helper()
	for _, environment := range []string{"dev", "staging", "prod"} {
		dir := l.state(environment)
		if exec.Command("git", "-C", dir, "rev-parse", "-q", "--verify", "main").Run() != nil {
			continue // nothing was ever committed
		}
		l.git(dir, "fsck", "--strict")
		require.Empty(l.t, l.git(dir, "log", "--merges", "--format=%H", "main"), "the history of %s is a line", environment)
		trees := strings.Fields(l.git(dir, "log", "--format=%T", "main"))
		for i := 1; i < len(trees); i++ {
			require.NotEqual(l.t, trees[i-1], trees[i], "a commit of %s that changes nothing", environment)
		}
		l.transom("verify", environment, "--directory", l.clone())
	}
	for _, cluster := range everyCluster {
		for _, request := range l.everyRequest() {
			if late := len(l.sightings(cluster, request)) - len(l.saw(cluster, request)); late > 0 {
				l.t.Logf("%d times %s saw of %s what was over: %+v", late/2, cluster, request, l.sightings(cluster, request))
			}
			rest := l.committed(cluster, request)
			for _, was := range l.saw(cluster, request) {
				at := slices.Index(rest, was)
				require.GreaterOrEqual(l.t, at, 0, "%s saw %s of %s out of turn: saw %q, committed %q", cluster, was, request,
					l.saw(cluster, request), l.committed(cluster, request))
				rest = rest[at+1:]
			}
		}
	}
}

// everyRequest is every request that the team ever merged.
func (l *ladder) everyRequest() (names []string) {
	l.t.Helper()
	for _, file := range strings.Fields(l.git(l.clone(), "log", "--format=", "--name-only", "main", "--", "requests/"+l.team)) {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	require.NotEmpty(l.t, names)
	slices.Sort(names)
	return slices.Compact(names)
}

// once requires that clusters saw a request's Widget as exactly these, one after the other: nothing else, nothing twice.
func (l *ladder) once(request string, clusters []string, want ...string) {
	l.t.Helper()
	for _, cluster := range clusters {
		require.Equal(l.t, want, l.saw(cluster, request), "what %s saw of %s", cluster, request)
		require.Equal(l.t, want, l.committed(cluster, request), "what was committed of %s for %s", request, cluster)
	}
}

// soaked requires that something was healthy on a cluster for at least so long before another one got it.
func (l *ladder) soaked(request, what, on string, soak time.Duration, before string) {
	l.t.Helper()
	first, then := l.since(on, request, what), l.since(before, request, what)
	require.False(l.t, first.healthy.IsZero(), "%s was healthy on %s", what, on)
	require.GreaterOrEqual(l.t, then.at.Sub(first.healthy), soak, "from healthy on %s until it entered %s", on, before)
}

// restless kills the daemon so many times, at random moments, while the test waits for something, and starts it again.
func (l *ladder) restless(seed uint64, times int) {
	random := rand.New(rand.NewPCG(seed, seed))
	life := func() time.Time { return time.Now().Add(time.Duration(50+random.IntN(2500)) * time.Millisecond) }
	next := life()
	l.meanwhile = func() {
		if times == 0 || time.Now().Before(next) {
			return
		}
		times--
		l.kill()
		l.start()
		next = life()
	}
}

// inventory is the list of a request's objects that a cluster keeps.
func (l *ladder) inventory(cluster, request string) (*corev1.ConfigMap, error) {
	name := fmt.Sprintf("%s.%s.%s", environmentOf[cluster], l.team, request)
	return l.client(cluster).CoreV1().ConfigMaps("transom-system").Get(l.t.Context(), name, metav1.GetOptions{})
}

// checkpoint is the soak that a cluster remembers of the present revision of a request.
func (l *ladder) checkpoint(cluster, request string) time.Duration {
	l.t.Helper()
	record := l.record(environmentOf[cluster], request)
	inventory, err := l.inventory(cluster, request)
	if record == nil || apierrors.IsNotFound(err) {
		return 0
	}
	require.NoError(l.t, err)
	revision, figure, _ := strings.Cut(inventory.Annotations["transom.dev/soaked"], " ")
	if revision != cmp.Or(record.Clusters[cluster].Revision, "removed") {
		return 0
	}
	soaked, err := time.ParseDuration(figure)
	require.NoError(l.t, err)
	return soaked
}

// forget deletes the daemon's data, which it must be able to do without.
func (l *ladder) forget() { require.NoError(l.t, os.RemoveAll(l.data)) }

// twin starts a second daemon on the same repositories and clusters.
func (l *ladder) twin() *world {
	l.twins = true
	other := *l.world
	other.data = filepath.Join(l.dir, "data-twin")
	other.meanwhile = nil
	other.start()
	return &other
}

// follows waits until every environment was reconciled with a platform commit.
func (l *ladder) follows(commit string) {
	l.t.Helper()
	l.eventually("every environment follows "+commit, func() error {
		s, err := l.status()
		return cmp.Or(err, follows(s, commit))
	})
}

// admit waits until a release waits for an Approval of itself, and merges the one that status asks for.
func (l *ladder) admit(environment, request, name string) {
	l.t.Helper()
	var release string
	l.eventually("status says what to approve", func() error {
		in, err := l.instance(environment, request)
		if err != nil {
			return err
		}
		for _, g := range in.Waiting {
			if c := in.Candidate; c != nil && strings.Contains(g.Reason+" "+g.Opens, c.Release) {
				release = c.Release
				return nil
			}
		}
		return errors.New(l.why(environment, request))
	})
	l.change("approve "+name, decide("Approval", environment, name, fmt.Sprintf("request: %s/%s, release: %q", l.team, request, release)))
}

// writes runs a command that writes the file of a decision into the clone, and merges it.
func (l *ladder) writes(args ...string) {
	l.t.Helper()
	l.transom(append(args, "--directory", l.clone())...)
	l.push("transom "+strings.Join(args, " "), nil)
}

// digest waits until status has a digest in something that it says of an environment.
func (l *ladder) digest(environment, what string, said func(status.Environment) string) (digest string) {
	l.t.Helper()
	l.eventually(environment+" says the digest of "+what, func() error {
		s, err := l.status()
		for _, e := range s.Environments {
			if digest = digests.FindString(said(e)); e.Name == environment && digest != "" {
				return nil
			}
		}
		if err == nil {
			err = fmt.Errorf("there is no digest in %+v", s.Environments)
		}
		return err
	})
	return digest
}

var digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// newLadder makes a scenario's platform, with repositories of its own and a team of its own.
func newLadder(t *testing.T, fleet string, o *widgets, team string, platform func(team string) files) *ladder {
	t.Helper()
	w := newWorldOn(t, fleet, foundation().merged(platform(team)).tree())
	w.flags = []string{"--interval", "1h"} // nothing happens because somebody looks: each pass was planned
	l := &ladder{world: w, team: team, widgets: o}
	l.vacate()
	return l
}

// vacate takes from the clusters that an installation before this one kept environments of these names there: nothing would
// be written otherwise.
func (l *ladder) vacate() {
	for _, cluster := range everyCluster {
		all := l.client(cluster).CoreV1().ConfigMaps("transom-system")
		require.NoError(l.t, all.DeleteCollection(l.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	}
}
