package gitrepo_test

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// requireIndexOfGit has git check a mirror, and compares each index with the one that git makes of the same pack.
func requireIndexOfGit(t *testing.T, b *bare, r *gitrepo.Remote) {
	t.Helper()
	b.run("", "-C", r.Dir, "fsck", "--strict")
	packs, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/pack-*.pack"))
	require.NoError(t, err)
	require.NotEmpty(t, packs)
	for _, pack := range packs {
		ours := strings.TrimSuffix(pack, ".pack") + ".idx"
		b.run("", "verify-pack", ours)
		theirs := filepath.Join(t.TempDir(), "theirs.idx")
		b.run("", "index-pack", "-o", theirs, pack)
		want, err := os.ReadFile(theirs)
		require.NoError(t, err)
		got, err := os.ReadFile(ours)
		require.NoError(t, err)
		require.Equal(t, sha1.Sum(want), sha1.Sum(got), "the index of %s", pack)
	}
}

// TestIndexesAreThoseOfGit has packs of whole objects and of deltas, in memory and in files.
func TestIndexesAreThoseOfGit(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		files := map[string]string{"large": noise(6 << 20)}
		for n := range 40 {
			files[fmt.Sprintf("dir-%d/%d", n%3, n)] = strings.Repeat(fmt.Sprintf("line of %d\n", n), 30)
		}
		o.commit("first", files)
		for n := range 12 {
			o.commit("more", map[string]string{"dir-0/0": strings.Repeat("line of 0\n", 30+n)})
		}
		r := o.remote()
		fetch(t, r)
		o.git("gc", "--quiet", "--aggressive")
		packed := o.remote()
		s := fetch(t, packed)
		for name, content := range files {
			if name != "dir-0/0" {
				require.Equal(t, content, readFile(t, s, name))
			}
		}
		commit(t, packed, s, map[string][]byte{"ours": []byte("1")})
		o.commit("last", map[string]string{"last": "1"})
		fetch(t, packed)
		requireIndexOfGit(t, o.bare, r)
		requireIndexOfGit(t, o.bare, packed)
	})
}

// noise does not compress.
func noise(length int) string {
	var b []byte
	for sum := sha1.Sum(nil); len(b) < length; sum = sha1.Sum(sum[:]) {
		b = append(b, sum[:]...)
	}
	return string(b)
}

// sending is a server of a repository that answers each request for objects with a pack.
func sending(b *bare, pack []byte) *origin {
	return overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method != http.MethodPost {
				git.ServeHTTP(w, req)
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			sendPack(w, pack)
		})
	})
}

// blobID is the id of a file's content.
func blobID(content string) [sha1.Size]byte {
	return sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
}

// TestDeltasAreResolvedWhateverTheirOrder has base objects before and after their deltas, that are deltas themselves, and
// more of them than are kept in memory. Two deltas are of each.
func TestDeltasAreResolvedWhateverTheirOrder(t *testing.T) {
	whole := strings.Repeat("0", 9<<20)
	contents := map[string]string{"whole": whole}
	var deltas []packed
	for level, base := 0, whole; level < 6; level++ {
		for _, name := range []string{"leaf", "next"} {
			more := fmt.Sprintf("%s-%d", name, level)
			if level == 5 && name == "next" {
				more = strings.Repeat(more, 3<<20)
			}
			delta := deltaOf(len(base), more)
			deltas = append(deltas, packed{kind: 7, base: blobID(base), size: len(delta), content: delta})
			contents[fmt.Sprintf("%s-%d", name, level)] = base + more
		}
		base = contents[fmt.Sprint("next-", level)]
	}
	b := newBare(t)
	head := b.commit("first", contents)
	object := func(kind int, name, of string) packed {
		content := b.raw("cat-file", name, of)
		return packed{kind: kind, size: len(content), content: content}
	}
	first := packed{kind: 3, size: len(whole), content: []byte(whole)}
	rest := []packed{object(1, "commit", head), object(2, "tree", head+"^{tree}")}
	backwards := slices.Clone(deltas)
	slices.Reverse(backwards)
	for name, objects := range map[string][]packed{
		"after":  slices.Concat([]packed{first}, deltas, rest),
		"before": slices.Concat(backwards, rest, []packed{first}),
		"among":  slices.Concat(deltas[:5], []packed{first}, rest, backwards[:len(deltas)-5]),
	} {
		t.Run(name, func(t *testing.T) {
			r := sending(b, packOf(t, uint32(len(objects)), objects...)).remote()
			s := fetch(t, r)
			for _, name := range slices.Sorted(maps.Keys(contents)) {
				require.Equal(t, blobID(contents[name]), blobID(readFile(t, s, name)), name)
			}
			requireIndexOfGit(t, b, r)
		})
	}
}

// TestTimeForDeltasIsBounded has a pack whose base objects do not fit into memory, so that they are made again and again.
func TestTimeForDeltasIsBounded(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	whole := make([]byte, 1<<20)
	objects := []packed{{kind: 3, size: len(whole), content: whole}}
	for base, n := 1, 0; n < 120; n++ {
		for range 2 {
			delta := deltaOf(len(whole)+n, "1")
			objects = append(objects, packed{kind: 6, of: base, size: len(delta), content: delta})
		}
		base = len(objects)
	}
	server := sending(b, packOf(t, uint32(len(objects)), objects...))
	r := server.remote()
	r.Limits.PackBytes = 8 << 20
	_, err := r.Fetch(context.Background())
	require.ErrorContains(t, err, "the pack unpacks to over 32 times that; at most 8Mi")
	_, err = server.remote().Fetch(context.Background())
	require.ErrorContains(t, err, "the pack does not have commit ", "within the limits it is a pack")
}
