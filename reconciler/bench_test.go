package reconciler_test

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A prompt fleet finds every manifest healthy that a target changes, so many of them in each interval; zero: all at once.
type promptFleet struct {
	report func(fleet.Result)
	batch  int
	every  time.Duration

	mu      sync.Mutex
	told    chan struct{}
	latest  fleet.Snapshot
	teams   map[string]string // id by team
	files   map[string]string // blob by file
	running sync.WaitGroup
}

func (f *promptFleet) Checkpoint(string, string, platform.RequestKey, apply.Checkpoint) {}

func (f *promptFleet) Deploy(t fleet.Target) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = t.Snapshot
	select {
	case f.told <- struct{}{}:
	default:
	}
	found, err := f.differing(t)
	if err != nil || len(found) == 0 {
		return err
	}
	f.running.Go(func() {
		for i, r := range found {
			if f.batch > 0 && i%f.batch == f.batch-1 {
				<-time.After(f.every)
			}
			r.Began, r.At = time.Now(), time.Now()
			f.report(r)
		}
	})
	return nil
}

// differing are the results about the manifests that differ from those of the target before.
func (f *promptFleet) differing(t fleet.Target) (found []fleet.Result, err error) {
	if t.Snapshot == nil {
		return nil, nil
	}
	dir, ok := t.Snapshot.(fs.ReadDirFS)
	if !ok {
		return nil, fmt.Errorf("%T has no directories", t.Snapshot)
	}
	const root = "clusters/dev"
	teams, err := dir.ReadDir(root)
	if err != nil {
		return nil, nil //nolint:nilerr // there is nothing yet
	}
	for _, team := range teams {
		id := team.(interface {
			ID() string
			HasID(id string) bool
		})
		if id.HasID(f.teams[team.Name()]) { // as the fleet asks
			continue
		}
		f.teams[team.Name()] = id.ID()
		blobs, err := t.Snapshot.Blobs(path.Join(root, team.Name()))
		if err != nil {
			return nil, err
		}
		for file, blob := range blobs {
			name := strings.TrimSuffix(path.Base(file), ".yaml")
			if f.files[file] == blob || name == "_namespace" {
				continue
			}
			f.files[file] = blob
			content, err := t.Snapshot.ReadFile(file)
			if err != nil {
				return nil, err
			}
			found = append(found, fleet.Result{
				Placement: fleet.Placement{Environment: t.Environment, Cluster: "dev", Team: team.Name(), Request: name},
				Commit:    t.Commit, Revision: state.Revision(content), Result: apply.Result{Health: state.Healthy, Settled: true},
			})
		}
	}
	return found, nil
}

// cpu is how long this process has been computing.
func cpu(t testing.TB) time.Duration {
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// crowd is a platform of so many requests, of teams of fifty.
func crowd(n int) map[string][]byte {
	files := consumers(0)
	for i := range n {
		name, file := fmt.Sprintf("r%05d", i), crowdFile(i)
		files[file] = crowdRequest(name, "hello")
	}
	return files
}

func crowdFile(i int) string { return fmt.Sprintf("requests/team-%03d/r%05d.yaml", i/50, i) }

func crowdRequest(name, text string) []byte {
	return []byte(document("Request", name) + "spec:\n  offering: note\n  version: \"1\"\n  parameters: {text: " + text + "}\n  environments: {dev: {}}\n")
}

// crowd has a system run with so many requests, whose fleet finds them healthy.
func (s *system) crowd(n int, f *promptFleet) {
	f.report, f.told, f.teams, f.files = s.Placed, make(chan struct{}, 1), map[string]string{}, map[string]string{}
	s.Fleet = f
	s.replace(crowd(n))
	s.commit("everybody")
	s.run()
	s.t.Cleanup(f.running.Wait)
	s.Trigger.Fire("test")
	f.settles(s.t, n)
}

// settles waits until the records of so many instances of dev say that they were healthy in all waves.
func (f *promptFleet) settles(t testing.TB, n int) {
	t.Helper()
	f.reaches(t, func(at fleet.Snapshot) bool {
		files, err := at.Blobs("releases")
		require.NoError(t, err)
		for file := range files {
			if !settled(t, at, file, "") {
				return false
			}
		}
		return len(files) >= n
	})
}

// reaches waits until a target was handed over for which ok is true.
func (f *promptFleet) reaches(t testing.TB, ok func(fleet.Snapshot) bool) {
	t.Helper()
	limit := time.After(5 * time.Minute)
	for {
		f.mu.Lock()
		at := f.latest
		f.mu.Unlock()
		if at != nil && ok(at) {
			return
		}
		select {
		case <-f.told:
		case <-limit:
			require.FailNow(t, "not settled")
		}
	}
}

// settled says whether a Release file is of a commit, if one is named, and of a release that was healthy in all waves.
func settled(t testing.TB, at fleet.Snapshot, file, commit string) bool {
	t.Helper()
	content, err := at.ReadFile(file)
	require.NoError(t, err)
	if strings.Contains(string(content), "rollout:") {
		return false
	}
	return commit == "" || strings.Contains(string(content), commit)
}

// BenchmarkChangeOfOne measures the time that computing takes from the merge of one request's change until it was healthy. Collecting garbage is
// a part of it that comes in pieces larger than all changes of the benchmark: each change is charged with as much of one collection as it
// makes of the garbage that there is between two, which is as much as lives.
func BenchmarkChangeOfOne(b *testing.B) {
	for _, n := range []int{1000, 5000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := &promptFleet{}
			s := newSystem(b)
			s.crowd(n, f)
			const changes = 50 // mirrors merge their packs once or twice in so many: each change has its share of that
			var used time.Duration
			live, collection := collected(b)
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			garbage := uint64(0)
			for i := range changes {
				healthy := s.merged(i*(n/changes), fmt.Sprintf("t%d", i))
				before, began := memory().TotalAlloc, cpu(b)
				s.Trigger.Fire("test")
				f.reaches(b, healthy)
				used += cpu(b) - began
				garbage += memory().TotalAlloc - before
			}
			collecting := time.Duration(float64(collection) * float64(garbage) / float64(live))
			b.ReportMetric(milliseconds((used+collecting)/changes), fmt.Sprintf("change-cpu-%d:ms", n))
			b.ReportMetric(milliseconds(collecting/changes), fmt.Sprintf("change-collecting-%d:ms", n))
			b.ReportMetric(float64(garbage/changes)/1024, fmt.Sprintf("change-garbage-%d:KiB", n))
			b.ReportMetric(0, "ns/op")
		})
	}
}

// collected returns how much lives, and how long collecting the garbage beside it takes: the least of three.
func collected(t testing.TB) (live uint64, took time.Duration) {
	took = math.MaxInt64
	for range 3 {
		began := cpu(t)
		runtime.GC()
		took = min(took, cpu(t)-began)
	}
	return memory().HeapAlloc, took
}

func memory() (m runtime.MemStats) {
	runtime.ReadMemStats(&m)
	return m
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
