package trigger

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// Repository calls fire after a branch of a Git repository on this machine moved, until ctx is done. It watches loose
// and packed references; dir is a bare repository or a checkout.
func Repository(ctx context.Context, dir string, fire func(cause string)) error {
	if git := filepath.Join(dir, ".git"); isDir(git) {
		dir = git
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(dir); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	heads := filepath.Join(dir, "refs", "heads")
	if err := addBelow(watcher, heads); err != nil {
		return fmt.Errorf("watch %s: %w", heads, err)
	}
	return each(ctx, watcher, func(e fsnotify.Event) {
		switch {
		case isDir(e.Name) && strings.HasPrefix(e.Name, heads):
			_ = addBelow(watcher, e.Name) // one that is gone again has nothing to watch
			fire(e.Name)
		case filepath.Dir(e.Name) == dir && filepath.Base(e.Name) != "packed-refs":
		case strings.HasSuffix(e.Name, ".lock"):
		default:
			fire(e.Name)
		}
	})
}

// each hands every event to handle until ctx is done.
func each(ctx context.Context, watcher *fsnotify.Watcher, handle func(fsnotify.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-watcher.Events:
			if !ok {
				return nil
			}
			handle(e)
		case err := <-watcher.Errors:
			return err
		}
	}
}

// addBelow watches a directory and all below it.
func addBelow(watcher *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return watcher.Add(path)
	})
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
