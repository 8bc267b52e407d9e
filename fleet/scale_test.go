package fleet_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A thousand clusters with a hundred instances each come to rest, a changed instance is handed over without work for
// the other 99,999, and all of it fits into a modest process.
func TestAThousandClustersOfAHundredInstances(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("edge-%03d", i))
	}
	var contents []map[string][]byte
	for _, o := range many(100) {
		contents = append(contents, place(o, "1", names...))
	}
	state := commit(contents...)
	web := many(100)[7]
	next := state.with(place(web, "2", names...))
	before, after := index(state), index(next)
	simulate(t, names, func(h *harness) {
		unused := memory()
		h.deploy(before, pinned(names...))
		used := memory() - unused
		for _, name := range names {
			require.Len(h, h.clusters[name].holds(), 100)
			require.Len(h, h.clusters[name].take(), 100)
		}
		require.Len(h, h.reported(), 100_000)
		t.Logf("%d MiB, %d goroutines", used>>20, runtime.NumGoroutine())
		require.Less(h, used>>20, uint64(400))

		h.deploy(after, pinned(names...))
		for _, name := range names {
			require.Equal(h, []visit{{owner: web, revision: revision(web, "2")}}, h.clusters[name].take())
		}
	})
}

func TestDeployLooksOnlyIntoWhatChanged(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		web, other := dev("web"), dev("other")
		other.Team = "search"
		base := commit(place(web, "1", "a", "b"), place(other, "1", "a", "b"))
		h.deploy(index(base), pinned("a", "b"))

		next := &counted{indexed: index(base.with(place(web, "2", "b")))}
		h.deploy(next, pinned("a", "b"))
		require.Equal(h, []string{"releases/payments", "clusters/b/payments"}, next.listed)
		same := &counted{indexed: next.indexed}
		h.deploy(same, pinned("b", "a"))
		require.Empty(h, same.listed)
		require.Equal(h, revision(web, "2"), h.clusters["b"].holds()["payments/web"])
	})
}

// counted remembers the directories that were listed.
type counted struct {
	indexed
	listed []string
}

func (c *counted) Blobs(dir string) (map[string]string, error) {
	c.listed = append(c.listed, dir)
	return c.indexed.Blobs(dir)
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// indexed is a tree that knows its directories by id, as a Git repository does.
type indexed struct {
	tree
	blobs map[string]map[string]string // by directory
	dirs  map[string][]fs.DirEntry
}

func index(t tree) indexed {
	blobs := map[string]map[string]string{}
	for name, data := range t.files {
		id := digest(data)
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if blobs[dir] == nil {
				blobs[dir] = map[string]string{}
			}
			blobs[dir][name] = id
		}
	}
	dirs := map[string][]fs.DirEntry{}
	for _, dir := range slices.Sorted(maps.Keys(blobs)) {
		id, files := sha256.New(), blobs[dir]
		for _, name := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintln(id, name, files[name])
		}
		above := path.Dir(dir)
		dirs[above] = append(dirs[above], entry{name: path.Base(dir), dir: true, id: hex.EncodeToString(id.Sum(nil))})
	}
	return indexed{tree: t, blobs: blobs, dirs: dirs}
}

func (t indexed) Blobs(dir string) (map[string]string, error) { return t.blobs[dir], nil }

func (t indexed) ReadDir(dir string) ([]fs.DirEntry, error) { return t.dirs[dir], nil }
