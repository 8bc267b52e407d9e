package e2e_test

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A besides is a world that has a platform into which large merges come, each along with a neighbour's change.
type besides struct {
	*world
	usual  time.Duration // from a merge to a live neighbour
	colors int
}

// A cost is how long others waited because of a merge, and the most memory that the daemon had.
type cost struct {
	neighbour, revert time.Duration
	memory            float64
}

func (c cost) String() string {
	return fmt.Sprintf("the neighbour is live after %s, the revert after %s, at most %.0f MiB of memory", c.neighbour, c.revert, c.memory/(1<<20))
}

func newBesides(t testing.TB) *besides {
	c := &besides{world: newWorld(t, settings, bothClusters, "--api-only")}
	c.git(c.dir, "init", "-q", "--bare", "-b", "main", "state-wide.git")
	c.start()
	c.live("shop", "green")
	var took []time.Duration
	for range 5 {
		took = append(took, c.recolored("calm", nil))
	}
	slices.Sort(took)
	c.usual = took[len(took)/2]
	return c
}

// recolored merges files together with a neighbour's change, and returns how long it takes until that is live.
func (c *besides) recolored(message string, files map[string]string) time.Duration {
	c.colors++
	color := fmt.Sprintf("c%d", c.colors)
	all := map[string]string{"requests/payments/shop.yaml": request("shop", color)}
	maps.Copy(all, files)
	c.merge(message, all)
	began := time.Now()
	c.live("shop", color)
	return time.Since(began)
}

// merge commits files to the platform itself: a clone would need much longer for very many, and git fast-import for those of one folder.
func (c *besides) merge(message string, files map[string]string) {
	dir, index := filepath.Join(c.dir, "platform.git"), "GIT_INDEX_FILE="+filepath.Join(c.t.TempDir(), "index")
	run := func(input string, args ...string) string {
		git := exec.Command("git", args...)
		git.Dir, git.Stdin, git.Env = dir, strings.NewReader(input), append(os.Environ(), index)
		out, err := git.CombinedOutput()
		require.NoError(c.t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	var blobs, entries strings.Builder
	ids := map[string]string{}                             // by text
	for _, name := range slices.Sorted(maps.Keys(files)) { // as the index has them, so that each is put at its end
		text := files[name]
		if ids[text] == "" {
			ids[text] = fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(text), text)))
			fmt.Fprintf(&blobs, "blob\ndata %d\n%s\n", len(text), text)
		}
		fmt.Fprintf(&entries, "100644 %s\t%s\n", ids[text], name)
	}
	run(blobs.String()+"done\n", "fast-import", "--quiet", "--done")
	run("", "read-tree", "main")
	run(entries.String(), "update-index", "--index-info")
	commit := c.git(dir, "commit-tree", "-p", "main", "-m", message, run("", "write-tree"))
	c.git(dir, "update-ref", "refs/heads/main", commit)
}

// watchMemory has the kernel find the most memory that the daemon has from now on, and returns a function that reads it. Asking the daemon again
// and again would make garbage that it does not have otherwise.
func (w *world) watchMemory() (most func() float64) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", w.daemon.Process.Pid), []byte("5"), 0))
	return w.most
}

// most is how many bytes of memory the daemon had at most since it started, or since watchMemory.
func (w *world) most() float64 {
	w.t.Helper()
	is, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.daemon.Process.Pid))
	require.NoError(w.t, err)
	_, rest, _ := strings.Cut(string(is), "VmHWM:")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	require.NoError(w.t, err)
	return kib * (1 << 10)
}

// beside merges what amplifies along with a neighbour's change, and takes it back.
func (c *besides) beside(a amplifier) cost {
	dir := filepath.Join(c.dir, "platform.git")
	c.recolored("calm", nil)
	before, color := c.git(dir, "rev-parse", "main"), fmt.Sprintf("c%d", c.colors)
	var most cost
	memory := c.watchMemory()
	most.neighbour = c.recolored(a.name, a.files())
	commit := c.git(dir, "rev-parse", "main")
	c.eventually("the platform is taken in", func() error { return c.followsAll(commit) })

	reverted := c.git(dir, "commit-tree", "-p", commit, "-m", "revert", before+"^{tree}")
	c.git(dir, "update-ref", "refs/heads/main", reverted)
	began := time.Now()
	c.live("shop", color)
	most.revert = time.Since(began)
	c.eventually("all is well", func() error { return c.healthy(reverted, 2) })
	most.memory = memory()
	return most
}

// TestCrowdsCostOnlyThemselves is invariant 6 for merges that meet every request, or are very many files. How long a neighbour waits
// is said by BenchmarkPushToLiveBesideCrowds, of ten times as many requests.
func TestCrowdsCostOnlyThemselves(t *testing.T) {
	t.Parallel()
	c := newBesides(t)
	for _, a := range slices.Concat(platformAmplifiers(), crowds(5_000)) {
		most := c.beside(a)
		t.Logf("%s: %s; usually %s", a.name, most, c.usual)
		require.Less(t, most.memory, float64(1<<30), "memory of the daemon")
	}
	require.Contains(t, c.said("platform loaded"), `"deferred":1001`, "of so many new requests, one load resolves 2,000")
	c.stop()
}

// BenchmarkPushToLiveBesideCrowds reports how many times longer a change takes to be live that comes with each of these merges, the
// same for the revert of the merge, and the memory of the daemon.
func BenchmarkPushToLiveBesideCrowds(b *testing.B) {
	c := newBesides(b)
	for _, a := range slices.Concat(platformAmplifiers(), crowds(manyRequests)) {
		most := c.beside(a)
		b.Logf("%s: %s; usually %s", a.name, most, c.usual)
		b.ReportMetric(most.neighbour.Seconds()/c.usual.Seconds(), "beside-"+a.name+":times")
		b.ReportMetric(most.revert.Seconds()/c.usual.Seconds(), "beside-"+a.name+"-revert:times")
		b.ReportMetric(most.memory/(1<<20), "beside-"+a.name+"-memory:MiB")
	}
	b.ReportMetric(0, "ns/op")
	c.stop()
}
