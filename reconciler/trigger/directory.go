package trigger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Directory calls fire after something in a directory or below it was written, added, removed or renamed, and nothing
// has happened for a moment since, until ctx is done: an editor saves a file in several steps, and a checkout writes
// many. A file in a folder whose name begins with a dot, such as .git, is not watched. Fire is called at once, too,
// when the watch is in place, so that nothing that happened before is missed.
func Directory(ctx context.Context, dir string, fire func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := addBelow(watcher, dir, hidden); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	fire()
	quiet := time.NewTimer(quietTime)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			_ = addBelow(watcher, dir, hidden) // events were lost: of new directories too, maybe
			quiet.Reset(quietTime)
		case e := <-watcher.Events:
			if e.Op == fsnotify.Chmod || hidden(e.Name) {
				continue
			}
			if e.Has(fsnotify.Create) && isDir(e.Name) {
				_ = addBelow(watcher, e.Name, hidden) // one that is gone again has nothing to watch
			}
			quiet.Reset(quietTime)
		case <-quiet.C:
			fire()
		}
	}
}

func hidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }
