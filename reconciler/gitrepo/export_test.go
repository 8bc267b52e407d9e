package gitrepo

import "reflect"

// CredentialFields are the fields that an entry of the file of credentials may have.
func CredentialFields() (names []string) {
	of := reflect.TypeFor[credential]()
	for i := range of.NumField() {
		if name := of.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// MergedMeanwhile is how many of packs with these sizes, the smallest first, are merged while a mirror waits for its renewal.
func MergedMeanwhile(sizes []int64) int {
	if len(sizes) < mostPacks {
		return 0
	}
	packs := make([]pack, len(sizes))
	for i, size := range sizes {
		packs[i].size = size
	}
	some, size := toMerge(packs)
	if size > mostMerged {
		some = meanwhile(some, len(packs))
	}
	return len(some)
}

// PassFullPause has a Remote take its disk for one that was full long ago.
func PassFullPause(r *Remote) { r.mirror.full.since = r.mirror.full.since.Add(-fullPause) }

// TreesInMemory is how many directories the repository of a snapshot has in memory.
func (s *Snapshot) TreesInMemory() int {
	s.objects.trees.mu.Lock()
	defer s.objects.trees.mu.Unlock()
	return len(s.objects.trees.items)
}

// DecodeTree reads a tree in Git's form.
func DecodeTree(b []byte) error {
	_, err := decodeTree(b)
	return err
}
