package main

import (
	"sync"

	"k8s.io/utils/lru"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// mostComparisons is how many comparisons are kept: a page has some of one offering, and is made anew with each change of the status.
const mostComparisons = 64

// comparisons are the changes of versions against others, for the console and the API. A version that was loaded does not change. It is
// safe for concurrent use.
type comparisons struct {
	mu   sync.Mutex // of looking for a pair, and not of comparing it
	kept *lru.Cache // a func for each pair, which compares once
}

func newComparisons() *comparisons { return &comparisons{kept: lru.New(mostComparisons)} }

// changes compares two versions, unless that was done. Whoever asks meanwhile for the same two waits; others do not.
func (k *comparisons) changes(from, to *platform.Version) (api.VersionChanges, error) {
	pair := [2]*platform.Version{from, to}
	c, err := k.of(pair)()
	if err != nil {
		k.kept.Remove(pair) // the next one tries again
	}
	return c, err
}

// of is the comparison of a pair.
func (k *comparisons) of(pair [2]*platform.Version) func() (api.VersionChanges, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.kept.Get(pair); ok {
		return known.(func() (api.VersionChanges, error))
	}
	compare := sync.OnceValues(func() (api.VersionChanges, error) { return versionChanges(pair[0], pair[1]) })
	k.kept.Add(pair, compare)
	return compare
}

func versionChanges(from, to *platform.Version) (api.VersionChanges, error) {
	found, err := catalog.Compare(from, to)
	if err != nil {
		return api.VersionChanges{}, err
	}
	c := api.VersionChanges{
		Offering: to.Offering, Version: to.Number.String(), From: from.Number.String(), Contract: []api.ContractChange{}, Files: []api.FileChange{},
		More: max(len(found.Files)-catalog.MostFiles, 0),
	}
	for _, one := range found.Contract {
		c.Contract = append(c.Contract, api.ContractChange{Kind: one.What, Name: one.Name, Action: string(one.Action), From: one.From, To: one.To})
	}
	for _, f := range found.Files[:len(found.Files)-c.More] {
		c.Files = append(c.Files, api.FileChange{Path: f.Path, Action: string(f.Action), Diff: f.Diff, Omitted: f.Omitted})
	}
	return c, nil
}
