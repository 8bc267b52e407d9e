package gitrepo_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// stateFiles is a state repository of 5,000 manifests: 5 clusters, 20 teams, 50 requests each.
func stateFiles() map[string][]byte {
	files := map[string][]byte{}
	for c := range 5 {
		for t := range 20 {
			for q := range 50 {
				files[stateFile(c, t, q)] = manifest(c*1000+t*50+q, 0)
			}
		}
	}
	return files
}

func stateFile(cluster, team, request int) string {
	return fmt.Sprintf("clusters/cluster-%d/team-%d/request-%d.yaml", cluster, team, request)
}

// manifest is about as long as the manifest of a small offering.
func manifest(n, generation int) []byte {
	var b []byte
	for line := range 40 {
		b = fmt.Appendf(b, "key-%d: value %d of file %d, generation %d\n", line, line*n, n, generation)
	}
	return b
}

// stateRepository returns a repository with stateFiles, and a Remote that has fetched it.
func stateRepository(b testing.TB) (*bare, *gitrepo.Remote, *gitrepo.Snapshot) {
	repo := newBare(b)
	r := repo.remote()
	s, err := r.Fetch(context.Background())
	require.NoError(b, err)
	s, err = r.Commit(context.Background(), s, transom("all", stateFiles()))
	require.NoError(b, err)
	return repo, r, s
}

func BenchmarkFetchNothingNew(b *testing.B) {
	_, r, _ := stateRepository(b)
	for b.Loop() {
		_, err := r.Fetch(context.Background())
		require.NoError(b, err)
	}
}

func BenchmarkFetchOneNewCommit(b *testing.B) {
	repo, r, _ := stateRepository(b)
	other := repo.remote()
	s, err := other.Fetch(context.Background())
	require.NoError(b, err)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		s, err = other.Commit(context.Background(), s, transom("one", map[string][]byte{stateFile(1, 1, 1): manifest(1, i+1)}))
		require.NoError(b, err)
		b.StartTimer()
		got, err := r.Fetch(context.Background())
		require.NoError(b, err)
		require.Equal(b, s.Commit, got.Commit)
	}
}

func BenchmarkCommitOneFileOf5000(b *testing.B) {
	_, r, s := stateRepository(b)
	for i := 0; b.Loop(); i++ {
		var err error
		s, err = r.Commit(context.Background(), s, transom("one", map[string][]byte{stateFile(1, 1, 1): manifest(1, i+1)}))
		require.NoError(b, err)
	}
}

// BenchmarkCommitThatMergesPacks measures the commit for which the mirror has no room: its packs are merged before. Each of those has
// what a busy environment commits at once, and they come to most of what is merged at all.
func BenchmarkCommitThatMergesPacks(b *testing.B) {
	repo, r, s := stateRepository(b)
	generation := 0
	some := func(files int) {
		changed := map[string][]byte{}
		generation++
		for i := range files {
			changed[stateFile(i%5, i/5%20, i/100)] = manifest(i, generation)
		}
		var err error
		s, err = r.Commit(context.Background(), s, transom("some", changed))
		require.NoError(b, err)
	}
	size := int64(0)
	packs := func() int {
		found, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
		require.NoError(b, err)
		size = 0
		for _, file := range found {
			info, err := os.Stat(file)
			require.NoError(b, err)
			size += info.Size()
		}
		return len(found)
	}
	for range b.N {
		b.StopTimer()
		for packs() < 50 {
			some(250)
		}
		b.ReportMetric(float64(size), "bytes")
		b.StartTimer()
		some(1)
		b.StopTimer()
		require.Less(b, packs(), 10)
	}
	repo.run("", "-C", r.Dir, "fsck")
}

// BenchmarkFirstRead clones a repository as git packs it and reads all 5,000 files, as a daemon does that starts.
func BenchmarkFirstRead(b *testing.B) {
	repo, _, _ := stateRepository(b)
	repo.git("gc", "--quiet")
	for b.Loop() {
		r := repo.remote()
		s, err := r.Fetch(context.Background())
		require.NoError(b, err)
		readAll(b, s)
	}
}

// BenchmarkReadAgain reads 5,000 files that were read before.
func BenchmarkReadAgain(b *testing.B) {
	_, _, s := stateRepository(b)
	for b.Loop() {
		readAll(b, s)
	}
}

// BenchmarkBlobs lists 5,000 files of which one has changed.
func BenchmarkBlobs(b *testing.B) {
	_, r, s := stateRepository(b)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		var err error
		s, err = r.Commit(context.Background(), s, transom("one", map[string][]byte{stateFile(1, 1, 1): manifest(1, i+1)}))
		require.NoError(b, err)
		b.StartTimer()
		_, err = s.Blobs(".")
		require.NoError(b, err)
	}
}

func readAll(t testing.TB, s *gitrepo.Snapshot) {
	n := 0
	err := fs.WalkDir(s, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		_, err = s.ReadFile(filepath.ToSlash(name))
		return err
	})
	require.NoError(t, err)
	require.Equal(t, 5000, n)
}
