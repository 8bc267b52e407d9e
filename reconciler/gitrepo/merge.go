package gitrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// mostPacks is how many packs a mirror may have. Each fetch and each commit adds one, and each is looked through
	// for every object.
	mostPacks = 50
	// mostMerged is how many bytes of packs are merged. More than that is better made anew from the remote, which
	// packs its objects much tighter than they come one commit at a time.
	mostMerged = 16 << 20
	// largestMerged is how large a pack may be that is merged as long as less than mostMerged waits for it. Larger ones are few, and each merge of
	// them would take as long as hundreds of changes.
	largestMerged = 4 << 20
	// fewestMerged is how many packs are worth a merge where more bytes than mostMerged wait for one, and fewestOfMany where there are twice
	// as many packs as there may be: nobody renews the mirror then.
	fewestMerged = mostPacks / 2
	fewestOfMany = 4
)

// makeRoom merges packs if there is no room for another one. Cloning anew every fifty commits would do as well, but
// takes seconds where the history is long: half an hour after the start every fiftieth commit would be that late. Where
// there are more bytes than are merged, a mirror that is renewed beside its use has a few more packs until then, and any
// other one is made anew. Who has the turn calls it.
func makeRoom(r *Remote, m *mirror) error {
	if m.room > 0 {
		m.room--
		return nil
	}
	packs, err := m.packs()
	if err != nil {
		return m.damaged(err)
	}
	if len(packs) < mostPacks {
		m.room = mostPacks - len(packs) - 1
		return nil
	}
	some, size := toMerge(packs)
	if size > mostMerged {
		if r.Large == nil {
			return m.damaged(fmt.Errorf("%d packs are too many", len(packs)))
		}
		some = meanwhile(some, len(packs))
	} else {
		some = withoutLarge(some)
	}
	if err := m.merge(some); err != nil && !noRoom(err) { // where there is none to merge, there may be some for one more pack
		return err
	}
	if r.Large != nil && m.isLarge() {
		r.Large(r)
	}
	return nil
}

// meanwhile chooses those that are merged of some, which are too much, until the mirror is renewed, where there are so many packs.
func meanwhile(some []pack, packs int) []pack {
	fewest := fewestMerged
	if packs >= 2*mostPacks {
		fewest = fewestOfMany
	}
	if some = smallest(some, mostMerged); len(some) < fewest {
		return nil
	}
	return some
}

// withoutLarge are the first of some packs, the smallest first, that are not larger than largestMerged, as long as these are enough.
func withoutLarge(some []pack) []pack {
	large := slices.IndexFunc(some, func(p pack) bool { return p.size > largestMerged })
	if large < fewestMerged {
		return some
	}
	return some[:large]
}

// isLarge says whether there is more than is merged, of which a good part came one commit at a time: beside the largest pack there is half
// as much again.
func (m *mirror) isLarge() bool {
	packs, err := m.packs()
	if err != nil || len(packs) == 0 {
		return false // who uses the mirror finds out that it is damaged
	}
	all := int64(0)
	for _, p := range packs {
		all += p.size
	}
	return all > mostMerged && 3*packs[len(packs)-1].size <= 2*all
}

// smallest are the first of some packs that have so many bytes together.
func smallest(some []pack, bytes int64) []pack {
	for i, p := range some {
		if bytes -= p.size; bytes < 0 {
			return some[:i]
		}
	}
	return some
}

// A pack is a file of objects.
type pack struct {
	id   plumbing.Hash
	size int64
}

// packs returns the packs of the mirror, the smallest first.
func (m *mirror) packs() ([]pack, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids, err := m.store.ObjectPacks()
	if err != nil {
		return nil, err
	}
	packs := make([]pack, 0, len(ids))
	for _, id := range ids {
		info, err := os.Stat(m.packFile(id, "pack"))
		if err != nil {
			return nil, err
		}
		packs = append(packs, pack{id, info.Size()})
	}
	slices.SortFunc(packs, func(a, b pack) int { return int(a.size - b.size) })
	return packs, nil
}

// toMerge chooses the small ones, up to the first that is larger than twice all before it. So each object is written
// a few times in a mirror's life rather than at every merge.
func toMerge(packs []pack) (some []pack, size int64) {
	for i, p := range packs {
		if i > 1 && p.size > 2*size {
			break
		}
		some, size = append(some, p), size+p.size
	}
	return some, size
}

func (m *mirror) packFile(id plumbing.Hash, kind string) string {
	return filepath.Join(m.dir, "objects", "pack", "pack-"+id.String()+"."+kind)
}

// merge makes one pack of some, and removes those. Readers wait for the removal alone.
func (m *mirror) merge(some []pack) error {
	if len(some) == 0 {
		return nil
	}
	merged, err := m.union(some)
	if err != nil {
		return m.damaged(err)
	}
	defer merged.close()
	if err := m.add(merged); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range some {
		if p.id == merged.checksum {
			continue
		}
		if err := m.store.DeleteOldObjectPackAndIndex(p.id, time.Time{}); err != nil {
			return m.damaged(err)
		}
	}
	_ = m.store.Close()
	m.store.Reindex()
	return nil
}
