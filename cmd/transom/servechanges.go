package main

import (
	"sync"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

const (
	// mostChangedFiles is how many files of a version the console and the API tell the changes of.
	mostChangedFiles = 200
	// mostComparisons is how many comparisons are kept: a page has some of one offering, and is made anew with each change of the status.
	mostComparisons = 64
)

// comparisons are the changes of versions against others, for the console and the API. A version that was loaded does not change. It is
// safe for concurrent use.
type comparisons struct {
	mu   sync.Mutex
	kept map[[2]*platform.Version]api.VersionChanges
}

// changes compares two versions, unless that was done.
func (k *comparisons) changes(from, to *platform.Version) (api.VersionChanges, error) {
	k.mu.Lock()
	defer k.mu.Unlock() // one at a time
	pair := [2]*platform.Version{from, to}
	if c, done := k.kept[pair]; done {
		return c, nil
	}
	c, err := versionChanges(from, to)
	if err != nil {
		return c, err
	}
	if k.kept == nil || len(k.kept) >= mostComparisons {
		k.kept = map[[2]*platform.Version]api.VersionChanges{}
	}
	k.kept[pair] = c
	return c, nil
}

func versionChanges(from, to *platform.Version) (api.VersionChanges, error) {
	found, err := catalog.Compare(from, to)
	if err != nil {
		return api.VersionChanges{}, err
	}
	c := api.VersionChanges{
		Offering: to.Offering, Version: to.Number.String(), From: from.Number.String(), Contract: []api.ContractChange{}, Files: []api.FileChange{},
		More: max(len(found.Files)-mostChangedFiles, 0),
	}
	for _, one := range found.Contract {
		c.Contract = append(c.Contract, api.ContractChange{Kind: one.What, Name: one.Name, Action: string(one.Action), From: one.From, To: one.To})
	}
	for _, f := range found.Files[:len(found.Files)-c.More] {
		c.Files = append(c.Files, api.FileChange{Path: f.Path, Action: string(f.Action), Diff: f.Diff, Omitted: f.Omitted})
	}
	return c, nil
}
