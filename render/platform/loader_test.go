package platform_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

// snapshot is a file system that knows an id for the content of each file and directory, as a Git snapshot does, and counts
// the files and directories that are read and listed.
type snapshot struct {
	fstest.MapFS
	reads map[string]int
}

func (s snapshot) ReadFile(name string) ([]byte, error) {
	s.reads[name]++
	return s.MapFS.ReadFile(name)
}

func (s snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	s.reads[name]++
	entries, err := s.MapFS.ReadDir(name)
	for i, e := range entries {
		entries[i] = entry{e, s.MapFS, path.Join(name, e.Name())}
	}
	return entries, err
}

type entry struct {
	fs.DirEntry
	files fstest.MapFS
	at    string
}

func (e entry) HasID(id string) bool { return e.ID() == id }

func (e entry) ID() string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(e.files)) {
		if name == e.at || strings.HasPrefix(name, e.at+"/") {
			fmt.Fprintf(hash, "%s %v %x\n", strings.TrimPrefix(name, e.at), e.files[name].Mode, sha256.Sum256(e.files[name].Data))
		}
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func TestReloadKeepsWhatDidNotChangeAndReadsWhatDid(t *testing.T) {
	fsys := snapshot{repository(t, &txtar.Archive{}), map[string]int{}}
	l := &platform.Loader{}
	before, err := l.Load(fsys)
	require.NoError(t, err)
	clear(fsys.reads)

	const file = "requests/payments/orders-db.yaml"
	fsys.MapFS[file] = &fstest.MapFile{Data: []byte(request("{storage: 30Gi}"))}
	after, err := l.Load(fsys)
	require.NoError(t, err)
	require.Equal(t, 1, fsys.reads[file])
	require.NotContains(t, fsys.reads, "requests/search")
	require.NotContains(t, fsys.reads, "offerings/postgres/offering.yaml")
	require.Same(t, instance(t, before, "dev", "search/index"), instance(t, after, "dev", "search/index"))
	require.Equal(t, "20Gi", instance(t, before, "dev", "payments/orders-db").Parameters["storage"])
	require.Equal(t, "30Gi", instance(t, after, "dev", "payments/orders-db").Parameters["storage"])
}

// atRandom changes the files of a repository at random, again and again, among those of many tests of loads.
func atRandom(t *testing.T, seed uint64, times int, then func(random *rand.Rand, fsys fstest.MapFS)) {
	t.Helper()
	archives := []*txtar.Archive{{}}
	for _, name := range []string{"whole", "withdrawn", "deprecated", "unknown-environment", "environment-broken", "version-broken", "symlink", "symlink-team", "draining", "every-field", "misplaced", "cluster-broken", "renamed-to-yml", "environment-state-twice", "binding", "binding-wrong", "binding-cycle", "binding-to-broken", "placement", "version-types"} {
		archive, err := txtar.ParseFile("testdata/" + name + ".txtar")
		require.NoError(t, err)
		archives = append(archives, archive)
	}
	random := rand.New(rand.NewPCG(seed, seed+1))
	fsys := repository(t, archives[0])
	for range times {
		other := repository(t, archives[random.IntN(len(archives))])
		for name := range union(fsys, other) {
			if random.IntN(3) == 0 {
				delete(fsys, name)
				if f := other[name]; f != nil {
					fsys[name] = f
				}
			}
		}
		then(random, fsys)
	}
}

// Whatever happens to the files, a Loader that has seen it all says what one does that sees the end only.
func TestReloadEqualsLoad(t *testing.T) {
	l, git := &platform.Loader{}, &platform.Loader{}
	atRandom(t, 1, 100, func(_ *rand.Rand, fsys fstest.MapFS) {
		want, err := platform.Load(fsys)
		require.NoError(t, err)
		for l, fsys := range map[*platform.Loader]fs.FS{l: fsys, git: snapshot{fsys, map[string]int{}}} {
			got, err := l.Load(fsys)
			require.NoError(t, err)
			require.Equal(t, lines(want.Problems), lines(got.Problems))
			require.Equal(t, outcome(want), outcome(got))
			for _, env := range environments(want) {
				require.Equal(t, releases(want, env), releases(got, env))
			}
		}
	})
}

// TestReloadOfFewTeamsEqualsLoad: the sums over all teams follow those that change, come and go.
func TestReloadOfFewTeamsEqualsLoad(t *testing.T) {
	random, fsys := rand.New(rand.NewPCG(3, 4)), large(t, 30)
	contents := []string{
		request("{storage: 30Gi}"), request("{storage: 31Gi}"), request("{nothing: 1}"), strings.Replace(request("{}"), "dev: {}", "prod: {}, dev: {}", 1),
		strings.Replace(request("{}"), "postgres", "nobody", 1), strings.Replace(request("{}"), "dev: {}", "staging: {}", 1),
	}
	l, git, bounded := &platform.Loader{}, &platform.Loader{}, &platform.Loader{AtOnce: 1}
	for range 150 {
		for range 1 + random.IntN(4) {
			team := fmt.Sprintf("requests/team-%d/", random.IntN(12))
			switch name := fmt.Sprintf("%sr%d.yaml", team, random.IntN(4)); random.IntN(6) {
			case 0:
				maps.DeleteFunc(fsys, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, team) })
			case 1:
				delete(fsys, name)
			default:
				fsys[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(contents[random.IntN(len(contents))], "orders-db", strings.TrimSuffix(path.Base(name), ".yaml")))}
			}
		}
		want, err := platform.Load(fsys)
		require.NoError(t, err)
		for l, fsys := range map[*platform.Loader]fs.FS{l: fsys, git: snapshot{fsys, map[string]int{}}, bounded: snapshot{fsys, map[string]int{}}} {
			got, err := l.Load(fsys)
			require.NoError(t, err)
			for got.Deferred() > 0 {
				got, err = l.Load(fsys)
				require.NoError(t, err)
			}
			require.Equal(t, lines(want.Problems), lines(got.Problems))
			require.Equal(t, outcome(want), outcome(got))
			for _, env := range environments(want) {
				require.Equal(t, releases(want, env), releases(got, env))
				require.Equal(t, want.Placements(env), got.Placements(env))
			}
			require.Equal(t, want.Requests(), got.Requests())
		}
	}
}

// Many files are read by several goroutines, and the Platform is the same as one would make of them.
func TestLoadIsTheSameOnAnyNumberOfProcessors(t *testing.T) {
	fsys := large(t, 1000)
	for i := range 300 {
		name := fmt.Sprintf("requests/team-%d/wrong-%d.yaml", i%3, i)
		fsys[name] = &fstest.MapFile{Data: []byte(request(fmt.Sprintf("{storage: %d, nothing: %d}", i, i)))}
		name = fmt.Sprintf("decisions/dev/many-%d.yaml", i)
		fsys[name] = &fstest.MapFile{Data: []byte(fmt.Sprintf("apiVersion: transom.dev/v1alpha1\nkind: Hold\nmetadata: {name: other-%d}\nspec: {}\n", i))}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want, err := platform.Load(fsys)
	require.NoError(t, err)
	require.Greater(t, len(want.Problems), 600)
	runtime.GOMAXPROCS(4)
	got, err := platform.Load(fsys)
	require.NoError(t, err)
	require.Equal(t, lines(want.Problems), lines(got.Problems))
	require.Equal(t, outcome(want), outcome(got))
	require.Equal(t, releases(want, "dev"), releases(got, "dev"))
}

func union(a, b fstest.MapFS) map[string]bool {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return names
}

func releases(p *platform.Platform, env string) (out []string) {
	for _, i := range p.Instances(env) {
		var clusters []string
		for _, c := range i.Clusters {
			clusters = append(clusters, c.Name)
		}
		out = append(out, fmt.Sprint(i.Request.Key, i.Release, i.Version.Digest, i.Version.Lifecycle, i.Parameters, clusters))
	}
	return out
}

// failing breaks one path.
type failing struct {
	fs.FS
	path string
}

var errDisk = errors.New("input/output error")

func (f failing) Open(name string) (fs.File, error) {
	if name == f.path {
		return nil, errDisk
	}
	return f.FS.Open(name)
}

func TestLoadConcludesNothingFromWhatItCannotRead(t *testing.T) {
	for _, path := range []string{".", "requests", "requests/payments", "requests/payments/orders-db.yaml", "offerings/postgres/1.5.0"} {
		_, err := platform.Load(failing{repository(t, &txtar.Archive{}), path})
		require.ErrorIs(t, err, errDisk, path)
	}
}

// large is a platform of n requests of 50 teams in three environments.
func large(t testing.TB, n int) fstest.MapFS {
	base, err := txtar.ParseFile("testdata/base.txtar")
	require.NoError(t, err)
	fsys := fstest.MapFS{}
	for _, f := range base.Files {
		if !strings.HasPrefix(f.Name, "requests/") {
			fsys[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	fsys["environments/staging.yaml"] = &fstest.MapFile{Data: []byte(environment("staging"))}
	fsys["clusters/staging.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(fsys["clusters/dev.yaml"].Data), "dev", "staging"))}
	for i := range n {
		fsys[fmt.Sprintf("requests/team-%d/db-%d.yaml", i%50, i)] = &fstest.MapFile{Data: []byte(fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: db-%d}
spec:
  offering: postgres
  version: "1"
  parameters: {storage: %dGi}
  environments:
    dev: {}
    staging: {}
    prod: {parameters: {replicas: 3, highAvailability: true}}
`, i, i%90+10))}
	}
	return fsys
}

func BenchmarkFirstLoad(b *testing.B) {
	fsys := large(b, 1000)
	for b.Loop() {
		p, err := platform.Load(fsys)
		require.NoError(b, err)
		require.Len(b, p.Instances("prod"), 1000)
	}
}
