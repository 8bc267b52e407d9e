package reconciler

import (
	"maps"
	"slices"
	"sync"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// evidence remembers which files of an environment's state are proven to be Transom's, by the blobs that they had: this
// process rendered and pushed them, a cluster had all of it, or they were rendered again to the same bytes. It only saves
// proving the same again, so that it may be lost.
type evidence struct {
	mu     sync.Mutex
	proven map[string][]string // by path, the latest last; an empty blob stands for that there is no file
	denied map[string]denial   // by path
}

// denial is why a file was not proven, with as much of one platform as was read.
type denial struct {
	blob, platform, why string
}

// blobsRemembered bounds how many blobs are remembered of one path. A rollback does not go back far.
const blobsRemembered = 4

// has says whether a path was proven with a blob.
func (e *evidence) has(file, blob string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.proven[file], blob)
}

// prove remembers that a path is proven with a blob. That its removal is proven is forgotten once the file is there again.
func (e *evidence) prove(file, blob string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.denied, file)
	known := e.proven[file]
	if n := len(known); n > 0 && known[n-1] == blob {
		return
	}
	known = slices.DeleteFunc(slices.Clone(known), func(b string) bool { return b == blob || b == "" })
	if e.proven == nil {
		e.proven = map[string][]string{}
	}
	e.proven[file] = append(known[max(0, len(known)+1-blobsRemembered):], blob)
}

// deny remembers why a path is not proven.
func (e *evidence) deny(file string, d denial) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.denied == nil {
		e.denied = map[string]denial{}
	}
	e.denied[file] = d
}

// why says why a path is not proven, if that is known with this platform.
func (e *evidence) why(file, blob, platform string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.denied[file]; d.blob == blob && d.platform == platform {
		return d.why
	}
	return ""
}

// pushed proves the files that this process rendered and committed, as the commit has them. The bytes that a restoration
// brought back are omitted: it comes from commits that somebody else may have made.
func (e *evidence) pushed(changes map[string][]byte, restored map[platform.RequestKey]promotion.Restoration, commit *gitrepo.Snapshot) {
	isRestored := func(k platform.RequestKey) bool { _, ok := restored[k]; return ok }
	for _, file := range slices.Sorted(maps.Keys(changes)) {
		if !state.IsBelowClusters(file) {
			continue
		}
		if _, request, ok := state.ParseManifestFile(file); ok && isRestored(request) {
			continue
		}
		blob := ""
		if changes[file] != nil {
			var err error
			if blob, err = commit.Blob(file); err != nil {
				continue // it is proven again when somebody asks
			}
		}
		e.prove(file, blob)
	}
}
