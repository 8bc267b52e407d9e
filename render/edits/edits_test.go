package edits_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/edits"
)

func TestEditedIsADirectoryAsItWouldBe(t *testing.T) {
	base := fstest.MapFS{}
	for _, name := range []string{"a/one", "a/two", "b/deep/file", "c"} {
		base[name] = &fstest.MapFile{Data: []byte("old " + name)}
	}
	edited, err := edits.Over(base, map[string][]byte{
		"a/one": []byte("new"), "a/three": []byte("new"), "b": nil, "b/other": []byte("new"), "c": nil, "d/e/f": []byte("new"),
	})
	require.NoError(t, err)

	var names []string
	err = fs.WalkDir(edited, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, err := fs.ReadFile(edited, name)
			require.NoError(t, err)
			names = append(names, name+": "+string(data))
		}
		return err
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a/one: new", "a/three: new", "a/two: old a/two", "b/other: new", "d/e/f: new"}, names)

	for _, gone := range []string{"c", "b/deep/file", "b/deep", "never"} {
		_, err := fs.ReadFile(edited, gone)
		require.ErrorIs(t, err, fs.ErrNotExist, gone)
		_, err = edited.Open(gone)
		require.ErrorIs(t, err, fs.ErrNotExist, gone)
		_, err = fs.ReadDir(edited, gone)
		require.ErrorIs(t, err, fs.ErrNotExist, gone)
	}
	f, err := edited.Open("a/two")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
