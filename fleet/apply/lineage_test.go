package apply_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// history is the commits of a state repository, oldest first, and its identity.
type history struct {
	identity string
	commits  []string
	takeover []string
}

func (h history) and(commit string) history {
	h.commits = append(slices.Clone(h.commits), commit)
	return h
}

// head is an instance as the last commit has it, which is fetched after all that the test does.
func (h history) head(in apply.Instance) apply.Instance {
	in.State = apply.State{Sequence: int64(len(h.commits)), Commit: h.commits[len(h.commits)-1]}
	in.Fetched = time.Now().Add(time.Hour)
	in.Lineage = &apply.Lineage{
		Identity: h.identity, Takeover: h.takeover,
		Contains: func(_ context.Context, commit string) (bool, error) { return slices.Contains(h.commits, commit), nil },
	}
	return in
}

// environment is an instance of an environment of this test alone.
func (r *rig) environment(request, manifests string) apply.Instance {
	in := r.instance(request, manifests)
	replace := func(text []byte) []byte {
		return []byte(strings.ReplaceAll(string(text), "transom.dev/environment: test", "transom.dev/environment: "+r.team))
	}
	in.Environment, in.Manifests, in.NamespaceManifest = r.team, replace(in.Manifests), replace(in.NamespaceManifest)
	return in
}

func (r *rig) record(name string) *corev1.ConfigMap {
	r.Helper()
	m, err := r.kube.CoreV1().ConfigMaps("transom-system").Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	return m
}

// versions are the resourceVersions of all that is in the test's namespace, and of the namespace.
func (r *rig) versions() map[string]string {
	r.Helper()
	all, err := r.kube.CoreV1().ConfigMaps(r.team).List(background, metav1.ListOptions{})
	require.NoError(r, err)
	ns, err := r.kube.CoreV1().Namespaces().Get(background, r.team, metav1.GetOptions{})
	require.NoError(r, err)
	versions := map[string]string{"namespace": ns.ResourceVersion}
	for _, m := range all.Items {
		versions[m.Name] = m.ResourceVersion
	}
	inventories, err := r.kube.CoreV1().ConfigMaps("transom-system").List(background, metav1.ListOptions{LabelSelector: "transom.dev/environment=" + r.team})
	require.NoError(r, err)
	for _, m := range inventories.Items {
		versions["inventory "+m.Name] = m.ResourceVersion
	}
	return versions
}

var ours, theirs = history{identity: "ours"}.and("ours-1"), history{identity: "theirs"}.and("theirs-1").and("theirs-2")

func foreign(result apply.Result) bool { return result.Foreign != nil }

func TestAnotherInstallationWritesNothingAndIsTold(t *testing.T) {
	r := newRig(t, &apiOnly)
	web, db := r.environment("web", configMap("web", "1")), r.environment("db", configMap("db", "1"))
	r.healthy(ours.head(web))
	before := r.versions()
	r.connect()
	for _, in := range []apply.Instance{
		theirs.head(r.environment("web", configMap("web", "2"))), theirs.head(absent(web)), theirs.head(db),
	} {
		result := r.until(in, foreign)
		require.True(t, result.Settled)
		require.Equal(t, state.Unknown, result.Health)
		require.Equal(t, &apply.Foreign{Commit: "ours-1", Identity: "ours"}, result.Foreign)
		require.Equal(t, "cluster a was last written from state commit ours-1, which this state repository does not contain: another "+
			"installation, or a backup; nothing of the environment is written there; that commit is of state repository ours; continue "+
			"with decisions/dev/takeover.yaml: an Approval with spec {takeover: ours-1}", result.Foreign.Of("a", "dev"))
		require.NoError(t, r.Checkpoint(t.Context(), in, apply.Checkpoint{Revision: "sha256:1", Soaked: time.Hour}))
	}
	result, err := r.Observe(t.Context(), theirs.head(web))
	require.NoError(t, err)
	require.NotNil(t, result.Foreign)
	require.Empty(t, writes(r.calls.take()))
	require.Equal(t, before, r.versions())
}

// A copy of a repository has its history and its identity.
func TestOfTwoCopiesTheFirstGoesOnAndTheOtherHoldsBack(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := func(value string) apply.Instance { return r.environment("web", configMap("web", value)) }
	first, copied := r.Cluster, ours
	r.healthy(ours.head(web("1")))
	r.connect()
	mirror := r.Cluster
	r.calls.take()
	require.Empty(t, r.healthy(copied.head(web("1"))).Changes, "they are the same")
	require.Empty(t, writes(r.calls.take()))

	r.Cluster = first
	r.healthy(ours.and("ours-2").head(web("2")))
	r.Cluster = mirror
	r.until(copied.and("copy-2").head(web("3")), foreign)
	require.Equal(t, "2", r.value("web"))
	r.Cluster = first
	r.healthy(ours.and("ours-2").and("ours-3").head(web("3")))
	require.Equal(t, "3", r.value("web"))
}

// It may be a later commit of the same history: it is to be fetched before anybody calls it foreign.
func TestACommitThatCameAfterTheStateIsDoubted(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(ours.head(r.environment("web", configMap("web", "1"))))
	behind := r.Cluster
	r.connect()
	in := r.environment("web", configMap("web", "2"))
	r.healthy(ours.and("ours-2").head(in))
	r.Cluster = behind
	fetched := ours.and("copy-2").head(in)
	fetched.Fetched = time.Now().Add(-time.Hour)
	result := r.until(fetched, func(result apply.Result) bool { return result.Overtaken })
	require.False(t, result.Settled)
	require.Nil(t, result.Foreign)
	require.NotNil(t, r.until(ours.and("copy-2").head(in), foreign).Foreign)
}

// Of two daemons that write at the same moment, one finds the fence written.
func TestAWatchThatIsBehindDoesNotLetTheOtherWrite(t *testing.T) {
	for name, next := range map[string]func(*rig) apply.Instance{
		"change":  func(r *rig) apply.Instance { return r.environment("web", configMap("web", "3")) },
		"removal": func(r *rig) apply.Instance { return absent(r.environment("web", configMap("web", "1"))) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.healthy(ours.head(r.environment("web", configMap("web", "1"))))
			behind, calls := r.Cluster, r.calls
			calls.gate.Lock()
			defer calls.gate.Unlock()
			r.connect()
			r.healthy(ours.and("ours-2").head(r.environment("web", configMap("web", "2"))))
			before := r.versions()
			r.Cluster = behind
			result := r.visit(ours.and("copy-2").head(next(r)))
			require.True(t, result.Overtaken)
			require.Empty(t, result.Changes)
			require.Equal(t, before, r.versions())
		})
	}
}

func TestADaemonThatIsMerelyBehindFetchesAgainAndIsNotAlarmed(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := func(value string) apply.Instance { return r.environment("web", configMap("web", value)) }
	old := fetched(ours.head(web("1")))
	r.healthy(old)
	behind := r.Cluster
	r.connect()
	r.healthy(ours.and("ours-2").head(web("2")))
	r.Cluster = behind
	result := r.until(old, doubted)
	require.Nil(t, result.Foreign)
	require.Empty(t, result.Changes)
	require.Equal(t, "2", r.value("web"))
	r.calls.take()
	r.quiet() // the watch of the object may be later than that of the inventory
	require.Empty(t, r.healthy(ours.and("ours-2").head(web("2"))).Changes)
	require.Empty(t, writes(r.calls.take()))
	r.healthy(ours.and("ours-2").and("ours-3").head(web("3")))
	require.Equal(t, "3", r.value("web"))
}

func TestAStateThatWasSetBackIsHeldBack(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := func(value string) apply.Instance { return r.environment("web", configMap("web", value)) }
	r.healthy(ours.head(web("1")))
	r.healthy(ours.and("ours-2").head(web("2")))
	before := r.versions()
	r.until(ours.head(web("1")), foreign)
	r.until(ours.and("other-2").head(absent(web("1"))), foreign)
	require.Equal(t, before, r.versions())
	r.healthy(ours.and("ours-2").and("ours-3").head(web("3")))
}

func TestAPersonHasOneStateTakeOverFromAnother(t *testing.T) {
	r := newRig(t, &apiOnly)
	web, db := r.environment("web", configMap("web", "1")), r.environment("db", configMap("db", "1"))
	first := r.Cluster
	r.healthy(ours.head(web))
	r.healthy(ours.and("ours-2").head(db))

	r.connect()
	second := r.Cluster
	theirs := theirs
	theirs.takeover = []string{"ours-1", "ours-3"}
	r.until(theirs.head(web), foreign)
	theirs.takeover = []string{"ours-2"}
	require.Empty(t, r.healthy(theirs.head(web)).Changes)
	for _, name := range []string{r.team, r.team + "." + r.team + ".web", r.team + "." + r.team + ".db"} {
		require.Equal(t, "2 theirs-2", r.record(name).Annotations["transom.dev/state"])
		require.Equal(t, "theirs", r.record(name).Annotations["transom.dev/state-identity"])
	}
	require.Equal(t, map[string]apply.Action{"ConfigMap db": apply.Pruned}, actions(r.healthy(theirs.head(absent(db)))))
	r.calls.take()
	require.Empty(t, r.healthy(theirs.head(web)).Changes)
	require.Empty(t, writes(r.calls.take()), "once")

	// The first one is told, and the cluster that it takes back in its turn is not fought over for ever.
	r.Cluster = first
	back := ours.and("ours-2")
	r.until(back.head(db), foreign)
	back.takeover = []string{"theirs-2"}
	r.healthy(back.head(db))
	r.Cluster = second
	result := r.until(theirs.head(web), foreign)
	require.True(t, result.Foreign.Spent)
	require.Contains(t, result.Foreign.Of("a", "dev"), "taken over before")
}

func TestAClusterOfWhichNothingIsLeftIsFree(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := r.environment("web", configMap("web", "1"))
	r.healthy(ours.head(web))
	r.until(theirs.head(web), foreign)
	r.healthy(ours.head(absent(web)))
	r.healthy(theirs.head(web))
	r.until(ours.head(web), foreign)
}

func TestWhatWasSignedBeforeThereWereFencesIsGuardedToo(t *testing.T) {
	r := newRig(t, &apiOnly)
	web, db := r.environment("web", configMap("web", "1")), r.environment("db", configMap("db", "1"))
	before := func(in apply.Instance) apply.Instance {
		in = ours.head(in)
		in.Lineage = nil
		return in
	}
	r.healthy(before(web))
	r.healthy(before(db))
	require.Empty(t, r.record(r.team + "." + r.team + ".web").Annotations["transom.dev/state-identity"])
	r.until(theirs.head(web), foreign)
	r.calls.take()
	require.Empty(t, r.healthy(ours.and("ours-2").head(web)).Changes)
	require.Empty(t, writes(r.calls.take()), "what runs stays as it is")
	r.healthy(ours.and("ours-2").head(r.environment("web", configMap("web", "2"))))
	require.Equal(t, "2 ours-2", r.record(r.team).Annotations["transom.dev/state"])
}

func TestAnInventoryThatNamesNoCommitIsTakenByTheStateThatHasItsObjects(t *testing.T) {
	r := newRig(t, &apiOnly)
	two := r.environment("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	r.healthy(two)
	require.Empty(t, r.record(r.team+"."+r.team+".web").Annotations)
	r.connect()
	before := r.versions()
	for _, in := range []apply.Instance{r.environment("web", configMap("web-a", "1")), absent(two)} {
		result := r.visit(ours.head(in))
		require.Len(t, result.Problems, 1)
		require.Contains(t, result.Problems[0].Message, "kubectl -n transom-system annotate configmap "+r.team+"."+r.team+".web 'transom.dev/state=1 ours-1'")
	}
	require.Empty(t, r.healthy(ours.head(two)).Changes)
	require.Equal(t, before, r.versions())
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Pruned},
		actions(r.healthy(ours.and("ours-2").head(r.environment("web", configMap("web-a", "1"))))))
	require.Equal(t, "2 ours-2", r.record(r.team + "." + r.team + ".web").Annotations["transom.dev/state"])
}

func TestANamespaceSaysWhoseItIsFromItsNextWriteOn(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := r.environment("web", configMap("web", "1"))
	r.healthy(web)
	of := func() map[string]string {
		ns, err := r.kube.CoreV1().Namespaces().Get(background, r.team, metav1.GetOptions{})
		require.NoError(t, err)
		return maps.Clone(ns.Annotations)
	}
	require.NotContains(t, of(), "transom.dev/state-identity")
	digest := of()["transom.dev/digest"]
	r.calls.take()
	require.Empty(t, r.healthy(ours.head(web)).Changes)
	require.Empty(t, writes(r.calls.take()))

	web.NamespaceManifest = []byte(strings.Replace(string(web.NamespaceManifest), "labels:", "labels:\n    tier: one", 1))
	require.Equal(t, map[string]apply.Action{"Namespace " + r.team: apply.Configured}, actions(r.healthy(ours.head(web))))
	require.Equal(t, "ours", of()["transom.dev/state-identity"])
	require.NotEqual(t, digest, of()["transom.dev/digest"])
	r.connect()
	require.Empty(t, r.healthy(ours.head(web)).Changes)
	require.Empty(t, writes(r.calls.take()))
}

// The price of the fence: one write for each commit that comes to a cluster, however many instances it changes.
func TestManyInstancesOfOneCommitWriteTheFenceOnce(t *testing.T) {
	r := newRig(t, &apiOnly)
	head := ours
	for _, value := range []string{"1", "2"} {
		for _, name := range []string{"web", "db", "api"} {
			r.healthy(head.head(r.environment(name, configMap(name, value))))
		}
		fences := 0
		for _, call := range writes(r.calls.take()) {
			if strings.HasSuffix(call, "/configmaps/"+r.team) || call == "POST /api/v1/namespaces/transom-system/configmaps" {
				fences++
			}
		}
		require.Equal(t, map[string]int{"1": 1 + 3, "2": 1}[value], fences, value)
		head = head.and("ours-" + value + "-next")
	}
}
