package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
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
	// mostUnpacked is how many bytes those may unpack to, which are in memory while they are merged.
	mostUnpacked = 512 << 20
)

// makeRoom merges packs if there is no room for another one. Cloning anew every fifty commits would do as well, but
// takes seconds where the history is long: half an hour after the start every fiftieth commit would be that late.
func (m *mirror) makeRoom() error {
	m.mu.Lock()
	defer m.mu.Unlock()
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
	return m.damaged(m.merge(some))
}

// A pack is a file of objects.
type pack struct {
	id   plumbing.Hash
	size int64
}

// packs returns the packs of the mirror, the smallest first.
func (m *mirror) packs() ([]pack, error) {
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

// merge writes one pack with the objects of some, and removes those. The caller holds the lock.
func (m *mirror) merge(some []pack) error {
	all, budget := memory.NewStorage(), int64(mostUnpacked)
	for _, p := range some {
		if err := m.copyTo(all, p.id, &budget); err != nil {
			return err
		}
	}
	merged, err := packOf(all)
	if err != nil {
		return err
	}
	w, err := m.store.PackfileWriter()
	if err != nil {
		return err
	}
	_, err = w.Write(merged)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	written := plumbing.Hash(merged[len(merged)-len(plumbing.ZeroHash):])
	for _, p := range some {
		if p.id == written {
			continue
		}
		if err := m.store.DeleteOldObjectPackAndIndex(p.id, time.Time{}); err != nil {
			return err
		}
	}
	_ = m.store.Close()
	m.store.Reindex()
	return nil
}

// copyTo puts the objects of one pack into memory, and takes their bytes off the budget.
func (m *mirror) copyTo(all *memory.Storage, id plumbing.Hash, budget *int64) error {
	file, err := os.ReadFile(m.packFile(id, "idx"))
	if err != nil {
		return err
	}
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bytes.NewReader(file)).Decode(index); err != nil {
		return err
	}
	entries, err := index.Entries()
	if err != nil {
		return err
	}
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		o, err := m.store.EncodedObject(plumbing.AnyObject, e.Hash)
		if err != nil {
			return err
		}
		if *budget -= o.Size(); *budget < 0 {
			return fmt.Errorf("packs that unpack to over %s are too many", sizeText(mostUnpacked))
		}
		content, err := readObject(m.store, o.Type(), e.Hash)
		if err != nil {
			return err
		}
		if err := store(all, o.Type(), content); err != nil {
			return err
		}
	}
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
