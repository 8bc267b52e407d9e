package fleet_test

import (
	"fmt"
	"runtime"
	"strings"
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
			require.Equal(h, []pass{{owner: web, revision: revision(web, "2")}}, h.clusters[name].take())
		}
	})
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// indexed is a tree that knows its blobs by directory, as a Git repository does.
type indexed struct {
	tree
	blobs map[string]map[string]string
}

func index(t tree) indexed {
	blobs := map[string]map[string]string{}
	for name, data := range t.files {
		dir, rest, _ := strings.Cut(name, "/")
		if dir == "clusters" {
			cluster, _, _ := strings.Cut(rest, "/")
			dir += "/" + cluster
		}
		if blobs[dir] == nil {
			blobs[dir] = map[string]string{}
		}
		blobs[dir][name] = digest(data)
	}
	return indexed{tree: t, blobs: blobs}
}

func (t indexed) Blobs(dir string) (map[string]string, error) { return t.blobs[dir], nil }
