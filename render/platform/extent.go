package platform

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
)

// How much a platform repository may have. A Git tree of a few small objects can have 10^10 paths, as a directory may be
// there under many names: entries and bytes are counted while they are read, and reading ends where a number is reached.
const (
	maxEntries       = 500_000   // files and folders, in all folders of ours
	maxBytes         = 512 << 20 // of all files
	maxFolderEntries = 100_000   // of a team, of a version or of an overlay
	maxFolderBytes   = 64 << 20
	maxDepth         = 100 // folders in each other
)

// How many files of one kind there may be, where each is compared with all others, or with each request.
const (
	maxEnvironments  = 2_000
	maxClusters      = 10_000
	maxPolicies      = 5_000
	maxNotifications = 5_000
)

// checkCounts fails where there are so many files of a kind that nobody could wait for what follows from them. It is not one of them that is
// too much, and to leave some out would take away clusters or open gates.
func (t *tree) checkCounts() error {
	for _, kind := range []struct {
		folder string
		n, may int
	}{
		{"clusters", len(t.clusters), maxClusters},
		{"environments", len(t.environments), maxEnvironments},
		{"notifications", len(t.notifications), maxNotifications},
		{"policies", len(t.policies), maxPolicies},
	} {
		if kind.n > kind.may {
			return fmt.Errorf("%s/ has %d files of %s; at most %d: nothing of the commit is taken in, and what runs stays as it is; delete some, or "+
				"make a platform repository of its own for others", kind.folder, kind.n, kind.folder, kind.may)
		}
	}
	return nil
}

// An extent is how much was read.
type extent struct {
	entries int
	bytes   int64
}

func (e *extent) over(entries int, bytes int64) bool { return e.entries > entries || e.bytes > bytes }

// overFolder says whether that is more than a team, a version or an overlay may have.
func (e *extent) overFolder() bool { return e.over(maxFolderEntries, maxFolderBytes) }

// errFolderTooLarge ends the reading of one folder. That folder is not looked into then, and everything else is.
var errFolderTooLarge = errors.New("the folder is too large")

// count adds to the extent that was read, and fails where it is more than the folder or the platform may have.
func (w *walker) count(entries int, bytes int64) error {
	for _, e := range []*extent{w.whole, w.folder} {
		if e != nil {
			e.entries, e.bytes = e.entries+entries, e.bytes+bytes
		}
	}
	if w.whole.over(maxEntries, maxBytes) {
		return fmt.Errorf("its folders hold over %d,000 files and folders, or over %d MiB: nothing of it is taken in, and what runs stays as it is; "+
			"look for a folder or file that is there again and again, and delete it", maxEntries/1000, maxBytes>>20)
	}
	if w.folder != nil && w.folder.overFolder() {
		return errFolderTooLarge
	}
	return nil
}

// tooDeep says whether a folder is within too many others to be looked into.
func tooDeep(dir string) bool { return strings.Count(dir, "/") >= maxDepth }

// countedApart says whether the entries below a path are counted apart: those of a version, of an overlay or of the decisions about an
// environment. Those of a team are by readTeam.
func countedApart(dir string) bool {
	folder, _, _ := strings.Cut(dir, "/")
	below := map[string]int{"offerings": 2, "environments": 2, "decisions": 1}[folder]
	return below > 0 && strings.Count(dir, "/") == below
}

// visitBoundedFolder visits a version, an overlay or the decisions about an environment, and leaves none of its files behind where it has too
// much.
func (w *walker) visitBoundedFolder(dir string) error {
	opaque, problems := len(w.tree.opaque), len(w.tree.problems)
	w.folder = &extent{}
	err := w.visitFolder(dir)
	w.folder = nil
	if !errors.Is(err, errFolderTooLarge) {
		return err
	}
	w.tree.opaque, w.tree.problems = w.tree.opaque[:opaque], w.tree.problems[:problems]
	delete(w.tree.versions, dir)
	maps.DeleteFunc(w.tree.decisions, func(at string, _ *file) bool { return strings.HasPrefix(at, dir+"/") })
	delete(w.tree.overlays[path.Base(path.Dir(dir))], path.Base(dir))
	w.hideTooLarge(dir)
	return nil
}

func (w *walker) hideTooLarge(dir string) {
	w.hide(dir, "too-large", fmt.Sprintf("holds over %d,000 files and folders, or over %d MiB: it is not looked into, and what runs of it stays as it is",
		maxFolderEntries/1000, maxFolderBytes>>20))
}
