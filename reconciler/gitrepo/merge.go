package gitrepo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

const (
	// mostPacks is how many packs a mirror may have. Each fetch and each commit adds one, and each is looked through
	// for every object.
	mostPacks = 50
	// mostMerged is how many bytes of packs are merged. More than that is better made anew from the remote, which
	// packs its objects much tighter than they come one commit at a time.
	mostMerged = 16 << 20
)

// makeRoom merges packs if there is no room for another one. Cloning anew every fifty commits would do as well, but
// takes seconds where the history is long: half an hour after the start every fiftieth commit would be that late. The
// owner of the remote's lock calls it.
func (m *mirror) makeRoom() error {
	packs, err := m.packs()
	if err != nil {
		return m.damaged(err)
	}
	if len(packs) < mostPacks {
		return nil
	}
	some, size := toMerge(packs)
	if size > mostMerged {
		return m.damaged(fmt.Errorf("%d packs are too many", len(packs)))
	}
	return m.merge(some)
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

// store puts an object into memory.
func store(all *memory.Storage, kind plumbing.ObjectType, content []byte) error {
	o := &plumbing.MemoryObject{}
	o.SetType(kind)
	if _, err := o.Write(content); err != nil {
		return err
	}
	_, err := all.SetEncodedObject(o)
	return err
}

// packOf returns all objects in the form in which they are sent.
func packOf(all *memory.Storage) ([]byte, error) {
	ids := make([]plumbing.Hash, 0, len(all.Objects))
	for id := range all.Objects {
		ids = append(ids, id)
	}
	plumbing.HashesSort(ids)
	var pack bytes.Buffer
	if _, err := packfile.NewEncoder(&pack, all, false).Encode(ids, 0); err != nil {
		return nil, fmt.Errorf("pack %d objects: %w", len(ids), err)
	}
	return pack.Bytes(), nil
}
