package gitrepo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nest makes a tree of so many levels, each of which is there under so many names, and returns its id.
func nest(b *bare, names, levels int) string {
	blob := b.run("a", "-C", b.dir, "hash-object", "-w", "--stdin")
	tree := b.run("100644 blob "+blob+"\ta.yaml\n", "-C", b.dir, "mktree")
	for range levels {
		var entries strings.Builder
		for n := range names {
			fmt.Fprintf(&entries, "040000 tree %s\td%d\n", tree, n)
		}
		tree = b.run(entries.String(), "-C", b.dir, "mktree")
	}
	return tree
}

// TestATreeOfVeryManyPathsIsNotListed: eleven small objects have 10^10 paths, which are counted and not visited.
func TestATreeOfVeryManyPathsIsNotListed(t *testing.T) {
	for _, c := range []struct {
		names, levels int
		want          string
	}{
		{10, 10, "list .: has 21,111,111,110 files and folders; at most 500,000: look for a folder that is there under many names"},
		{1, 150, "list .: has folders in over 100 others"},
		{1000, 60, "list .: has 1,125,899,906,842,624 files and folders; at most 500,000: look for a folder that is there under many names"},
	} {
		b := newBare(t)
		b.git("update-ref", "refs/heads/main", b.git("commit-tree", "-m", "nested", nest(b, c.names, c.levels)))
		s := fetch(t, b.remote())
		_, err := s.Blobs(".")
		require.EqualError(t, err, c.want)
		require.EqualError(t, s.Bounded(), c.want)
		inner := "d0" + strings.Repeat("/d0", c.levels-3)
		blobs, err := s.Blobs(inner) // a directory within the limits is listed all the same
		if c.names == 1000 {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.NotEmpty(t, blobs)
	}
}
