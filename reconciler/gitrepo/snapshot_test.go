package gitrepo_test

import (
	"io/fs"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

func TestEmptySnapshot(t *testing.T) {
	s := &gitrepo.Snapshot{}
	entries, err := s.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, entries)
	_, err = s.ReadFile("f")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.Open("../f")
	require.ErrorIs(t, err, fs.ErrInvalid)
	info, err := s.Stat(".")
	require.NoError(t, err)
	require.True(t, info.IsDir())
	for _, dir := range []string{".", "releases"} {
		blobs, err := s.Blobs(dir)
		require.NoError(t, err)
		require.Empty(t, blobs)
	}
}

func TestSnapshotShowsWhatIsNoPlainFile(t *testing.T) {
	b := newBare(t)
	odd(b)
	s := fetch(t, b.remote())
	modes := map[string]fs.FileMode{}
	require.NoError(t, fs.WalkDir(s, ".", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		modes[name] = info.Mode()
		return nil
	}))
	require.Equal(t, map[string]fs.FileMode{
		".": fs.ModeDir | 0o555, "run.sh": 0o555, "plain": 0o444, "link": fs.ModeSymlink | 0o777, "module": fs.ModeIrregular,
	}, modes)
	blobs, err := s.Blobs(".")
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"run.sh": "100755:" + b.git("rev-parse", "main:run.sh"), "plain": b.git("rev-parse", "main:plain"),
		"link": "120000:" + b.git("rev-parse", "main:link"), "module": "160000:0123456789012345678901234567890123456789",
	}, blobs)
	_, err = s.ReadFile("link")
	require.EqualError(t, err, "read link: is a symbolic link, which is not followed")
	_, err = s.ReadFile("link/passwd")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.Open("module")
	require.EqualError(t, err, "open module: is a submodule, which is not followed")
	_, err = s.ReadFile(".")
	require.EqualError(t, err, "read .: is a directory")
	_, err = s.ReadDir("plain")
	require.EqualError(t, err, "readdir plain: not a directory")
}

func TestReadFileGivesACopy(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	s := fetch(t, b.remote())
	content, err := s.ReadFile("f")
	require.NoError(t, err)
	content[0] = 'X'
	require.Equal(t, "1", readFile(t, s, "f"))
}

func TestBlobsNamesContents(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"a/x": "same", "a/b/y": "same", "c/z": "1", "d": "top"})
	r := b.remote()
	before := fetch(t, r)
	b.commit("second", map[string]string{"c/z": "2"})
	after := fetch(t, r)

	all, err := before.Blobs(".")
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"a/x": b.git("rev-parse", "main~1:a/x"), "a/b/y": b.git("rev-parse", "main~1:a/x"),
		"c/z": b.git("rev-parse", "main~1:c/z"), "d": b.git("rev-parse", "main~1:d"),
	}, all)
	below, err := after.Blobs("a/b")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a/b/y": all["a/x"]}, below)
	none, err := after.Blobs("absent")
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = after.Blobs("d")
	require.EqualError(t, err, "list d: not a directory")

	for name, id := range map[string]string{"a/x": all["a/x"], "d": all["d"], "c/z": b.git("rev-parse", "main:c/z"), "a": "", "a/x/y": "", "absent/z": ""} {
		blob, err := after.Blob(name)
		require.NoError(t, err)
		require.Equal(t, id, blob, name)
	}
	_, err = after.Blob("../d")
	require.ErrorIs(t, err, fs.ErrInvalid)
}

func TestSnapshotsAreReadByManyAtOnce(t *testing.T) {
	_, _, s := stateRepository(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { readAll(t, s) })
	}
	all.Wait()
}
