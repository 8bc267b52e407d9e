package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replica is one of several daemons of a world, which share a Lease of the cluster hub. It has its own data, and its own
// ServiceAccount on each of the clusters, by which their audit logs know it.
func (w *world) replica(name, duration string, clusters ...string) *world {
	w.t.Helper()
	keys := map[string][]byte{}
	for _, cluster := range clusters {
		_, err := w.client(cluster).CoreV1().ServiceAccounts("default").Create(w.t.Context(),
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		require.NoError(w.t, err)
		keys[cluster+".kubeconfig"] = []byte(w.kubeconfigOf(cluster, w.token(cluster, "default", name)))
	}
	return &world{
		t: w.t, dir: w.dir, bin: w.bin, fleet: w.fleet, keys: w.directory(keys, 0o600), data: filepath.Join(w.dir, "data-"+name),
		flags: []string{
			"--lease", "default/transom", "--lease-duration", duration,
			"--lease-kubeconfig", filepath.Join(w.fleet, "kubeconfigs", "hub.kubeconfig"),
		},
	}
}

// get is an answer of the daemon, as text.
func (w *world) get(path string) (text string, code int, err error) {
	answer, err := w.asking().Get(w.api + path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return string(body), answer.StatusCode, err
}

// answers returns an error until the daemon answers with a text.
func (w *world) answers(path, want string) error {
	text, code, err := w.get(path)
	if err == nil && !strings.Contains(text, want) {
		err = fmt.Errorf("%s: %d %s, want %s", path, code, text, want)
	}
	return err
}

// stands returns an error until the daemon leads, or is a standby.
func (w *world) stands(leads bool) error {
	if leads {
		return errors.Join(w.answers("/metrics", "\ntransom_leader 1\n"), w.answers("/readyz", "ok\n"))
	}
	return errors.Join(w.answers("/metrics", "\ntransom_leader 0\n"), w.answers("/readyz", "ok: standby\n"))
}

// cannotLead returns an error until the daemon says that it does not reach the Lease.
func (w *world) cannotLead() error {
	return errors.Join(w.answers("/metrics", "\ntransom_leader 0\n"), w.answers("/readyz", "not ready: this replica could not take over"))
}

// commits are the commits of an environment's state that changed a file, newest first.
func (w *world) commits(environment, file string) []string {
	w.t.Helper()
	return strings.Fields(w.git(w.dir, "-C", "state-"+environment+".git", "log", "--format=%H", "main", "--", file))
}

// heads are the newest state commits of dev and prod.
func (w *world) heads() (heads []string) {
	w.t.Helper()
	for _, environment := range []string{"dev", "prod"} {
		heads = append(heads, w.git(w.dir, "-C", "state-"+environment+".git", "rev-parse", "main"))
	}
	return heads
}

// ends requires that a daemon that lost its Lease ends with an error, for its supervisor to start it again.
func (w *world) ends() {
	w.t.Helper()
	require.Error(w.t, w.daemon.Wait())
	require.Equal(w.t, 1, w.daemon.ProcessState.ExitCode())
}

// TestOneOfTwoDaemonsLeads tells the life of two replicas: the standby answers by the leader and takes over from one that is killed in the
// middle of a promotion; a leader that was stopped and wakes writes nothing; nobody writes while the Lease cannot be renewed.
func TestOneOfTwoDaemonsLeads(t *testing.T) {
	const prod = "  clusters: {matchLabels: {environment: prod}}\n"
	archive := strings.Replace(settings, prod, prod+"  promotesFrom: [dev]\n  gates: {soak: 3s}\n", 1)
	require.NotEqual(t, settings, archive)
	w := newWorld(t, archive, []string{"hub", "one", "two"}, "--api-only", "--audit")
	a, b := w.replica("a", "6s", "one", "two"), w.replica("b", "6s", "one", "two")
	a.start()
	a.eventually("the first leads", func() error { return a.stands(true) })
	b.start()
	b.eventually("the second is its standby", func() error { return b.stands(false) })
	commit := w.git(w.clone(), "rev-parse", "HEAD")
	b.eventually("the standby answers by the leader", func() error { return b.healthy(commit, -1) })
	s, err := b.status()
	require.NoError(t, err)
	require.NotEmpty(t, s.Leader)
	require.NotContains(t, w.metrics(b), "transom_ready", "a standby has no figures that would hide the leader's")
	events := b.stream()

	shop := map[string]string{"requests/payments/shop.yaml": request("shop", "blue")}
	before := map[string]int{"dev": len(w.commits("dev", "clusters/one/payments/shop.yaml")), "prod": len(w.commits("prod", "clusters/two/payments/shop.yaml"))}
	commit = w.push("shop: blue", shop)
	w.eventually("the promotion is under way", func() error { return w.color("one", "payments", "shop", "blue") })
	require.Contains(t, <-events, "data: ", "streams go through the standby")
	a.kill()
	killed := time.Now()
	b.eventually("the second takes over", func() error { return b.stands(true) })
	t.Logf("took over %.1fs after the leader was killed", time.Since(killed).Seconds())
	b.eventually("the promotion ends", func() error { return errors.Join(b.healthy(commit, -1), b.color("two", "payments", "shop", "blue")) })
	require.Len(t, w.commits("dev", "clusters/one/payments/shop.yaml"), before["dev"]+1, "neither twice nor never")
	require.Len(t, w.commits("prod", "clusters/two/payments/shop.yaml"), before["prod"]+1)

	a.start()
	a.eventually("the first is a standby now", func() error { return a.stands(false) })
	wakes(w, a, b)
	b.start()
	b.eventually("it is a standby when it is started again", func() error { return b.stands(false) })
	hubAway(w, a, b)

	leader, standby := a, b
	if a.stands(true) != nil {
		leader, standby = b, a
	}
	leader.stop()
	stopped := time.Now()
	standby.eventually("a leader that ends in peace gives back the Lease", func() error { return standby.stands(true) })
	t.Logf("took over %.1fs after the leader was asked to end", time.Since(stopped).Seconds())
	standby.stop()
}

// wakes has the leader stopped in the middle of its work for longer than its Lease. When it wakes it writes nothing.
func wakes(w *world, standby, leader *world) {
	t := w.t
	began := w.heads()
	w.push("many", many("mine", "green"))
	w.eventually("the leader is at work", func() error {
		if w.heads()[0] == began[0] {
			return errors.New("nothing is committed yet")
		}
		return nil
	})
	require.NoError(t, leader.daemon.Process.Signal(syscall.SIGSTOP))
	standby.eventually("the other one takes over", func() error { return standby.stands(true) })
	files := many("mine", "red")
	files["requests/payments/shop.yaml"] = request("shop", "red")
	commit := w.push("red", files)
	standby.eventually("and changes what the first one was about to write", func() error {
		return errors.Join(standby.healthy(commit, -1), w.color("two", "payments", "shop", "red"))
	})
	heads := w.heads()

	woken := time.Now()
	require.NoError(t, leader.daemon.Process.Signal(syscall.SIGCONT))
	leader.ends()
	require.NotEmpty(t, w.said("nothing more is written"))
	require.Equal(t, heads, w.heads())
	reads := []string{"get", "list", "watch"}
	writes := map[string]int{}
	for _, cluster := range []string{"one", "two"} {
		for _, entry := range w.auditLog(cluster) {
			name := strings.TrimPrefix(entry.User.Username, "system:serviceaccount:default:")
			if slices.Contains(reads, entry.Verb) {
				continue
			}
			writes[name]++
			require.False(t, name == filepath.Base(leader.data)[len("data-"):] && entry.RequestReceivedTimestamp.After(woken), "%s %s", entry.Verb, entry.RequestURI)
		}
	}
	require.NotZero(t, writes["a"])
	require.NotZero(t, writes["b"])
}

// hubAway takes away the cluster with the Lease: the leader ends when it runs out, and nobody writes until somebody can hold it again.
func hubAway(w *world, leader, standby *world) {
	w.sandbox("stop", "hub")
	leader.ends()
	files := map[string]string{"requests/payments/shop.yaml": request("shop", "violet")}
	heads := w.heads()
	commit := w.push("shop: violet", files)
	leader.start()
	standby.eventually("nobody answers, and says so", func() error { return standby.answers("/api/v1/status", "this replica is a standby, and the leader") })
	leader.eventually("neither does the other one", func() error {
		return errors.Join(leader.answers("/api/v1/status", "it does not reach the Lease that says who leads"), leader.cannotLead())
	})
	require.Equal(w.t, heads, w.heads(), "nobody writes")
	w.sandbox("start", "hub")
	standby.eventually("the work goes on", func() error {
		return errors.Join(standby.healthy(commit, -1), w.color("two", "payments", "shop", "violet"))
	})
	w.eventually("one leads", func() error {
		if leader.stands(true) == nil {
			return standby.stands(false)
		}
		return errors.Join(standby.stands(true), leader.stands(false))
	})
}

// TestTheManagementClusterIsAwayForAWhile: while its API server takes no call, the leader goes on until its Lease ends; then nobody writes.
// Nothing is lost: once it is back, one replica leads, and a push that was made meanwhile is live.
func TestTheManagementClusterIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, []string{"hub", "one", "two"}, "--api-only")
	hub := newProxy(w, "hub")
	reached := w.file("hub.kubeconfig", hub.kubeconfig())
	var inVain atomic.Int32
	shut := &way{raw: func(net.Conn) { inVain.Add(1) }}
	a, b := w.replica("a", "12s", "one", "two"), w.replica("b", "12s", "one", "two")
	for _, r := range []*world{a, b} {
		r.flags = append(r.flags, "--lease-kubeconfig", reached)
	}
	a.start()
	a.eventually("the first leads", func() error { return a.stands(true) })
	a.live("shop", "green")
	b.start()
	b.eventually("the second is its standby", func() error { return b.stands(false) })
	pushes := func() (n int) { return len(w.commits("dev", "clusters/one/payments/shop.yaml")) }
	before := pushes()

	hub.behave(shut)
	paint := func(color string) {
		w.push("shop: "+color, map[string]string{"requests/payments/shop.yaml": request("shop", color)})
	}
	paint("violet")
	a.live("shop", "violet")
	require.NoError(t, a.stands(true), "it goes on until its Lease ends")
	a.ends()
	require.NotEmpty(t, w.said("nothing more is written"))

	heads := w.heads()
	paint("white")
	a.start()
	inVain.Store(0)
	w.eventually("both have asked for the Lease for longer than it lasts", func() error { return over(20, int(inVain.Load())) })
	for _, r := range []*world{a, b} {
		r.eventually("nobody leads, and no rollout counts on them", r.cannotLead)
	}
	require.Equal(t, heads, w.heads(), "nobody writes")
	require.NoError(t, w.color("one", "payments", "shop", "violet"))
	require.NotEmpty(t, w.said("the Lease is not reached: this process cannot lead until it is"))

	hub.behave(nil)
	w.live("shop", "white")
	w.eventually("one leads", func() error {
		if a.stands(true) == nil {
			return b.stands(false)
		}
		return errors.Join(b.stands(true), a.stands(false))
	})
	require.Equal(t, before+2, pushes(), "neither lost nor twice")
	a.stop()
	b.stop()
}

// metrics are all figures of a replica.
func (w *world) metrics(of *world) string {
	w.t.Helper()
	text, _, err := of.get("/metrics")
	require.NoError(w.t, err)
	return text
}

// stream has the lines with data of the daemon's stream of events that come after those of before.
func (w *world) stream() <-chan string {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.api+"/api/v1/events", nil)
	require.NoError(w.t, err)
	r.Header.Set("Accept", "text/event-stream")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, answer.StatusCode)
	lines := make(chan string, 10000)
	go func() {
		defer close(lines)
		defer func() { _ = answer.Body.Close() }()
		for scan := bufio.NewScanner(answer.Body); scan.Scan(); {
			if strings.Contains(scan.Text(), "shop") {
				lines <- scan.Text()
			}
		}
	}()
	return lines
}

// BenchmarkTakeover measures how long a merge takes to be live whose leader is killed right after it, with 1,000 requests: the Lease
// has to end first.
func BenchmarkTakeover(b *testing.B) {
	w := newWorld(b, settings, []string{"hub", "one", "two"}, "--api-only")
	files := map[string]string{}
	for i := range 999 {
		name := fmt.Sprintf("r%03d", i)
		files["requests/payments/"+name+".yaml"] = request(name, "green")
	}
	commit := w.push("a thousand requests", files)
	leader, standby := w.replica("a", "10s", "one", "two"), w.replica("b", "10s", "one", "two")
	leader.start()
	leader.eventually("a thousand requests are healthy", func() error { return leader.healthy(commit, 2000) })
	var took []time.Duration
	for i := range takeovers {
		standby.start()
		standby.eventually("there is a standby", func() error { return standby.stands(false) })
		color := fmt.Sprintf("t%d", i)
		leader.kill()
		killed := time.Now()
		w.push("shop: "+color, map[string]string{"requests/payments/shop.yaml": request("shop", color)})
		w.eventually("the change is live", func() error { return w.color("one", "payments", "shop", color) })
		took = append(took, time.Since(killed))
		standby.eventually("the new leader is ready", func() error { return standby.stands(true) })
		leader, standby = standby, leader
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "takeover-p50:s")
	b.ReportMetric(took[len(took)*99/100].Seconds(), "takeover-p99:s")
	b.ReportMetric(0, "ns/op")
	require.NoError(b, os.RemoveAll(standby.data))
}

// takeovers is how many leaders the benchmark kills.
const takeovers = 10
