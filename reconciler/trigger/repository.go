package trigger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// Repository calls fire after a branch of a Git repository on this machine moved, until ctx is done. It watches loose
// and packed references; dir is a bare repository or a checkout. Git writes a reference to a lock file and renames it,
// so the event that counts is the one of the reference itself.
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
	if err := addBelow(watcher, heads, nothing); err != nil {
		return fmt.Errorf("watch %s: %w", heads, err)
	}
	moved := func(path string) bool {
		if filepath.Dir(path) == dir {
			return filepath.Base(path) == "packed-refs"
		}
		return !strings.HasSuffix(path, ".lock")
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			_ = addBelow(watcher, heads, nothing) // events were lost: of new directories too, maybe
			fire(dir)
		case e := <-watcher.Events:
			if !moved(e.Name) {
				continue
			}
			// A new directory is a branch with a slash in its name. Its files were perhaps written before it was
			// watched, and one that is gone again has nothing to watch.
			if e.Has(fsnotify.Create) && isDir(e.Name) {
				_ = addBelow(watcher, e.Name, nothing)
			}
			fire(e.Name)
		}
	}
}

// addBelow watches a directory and all below it but the paths to be omitted.
func addBelow(watcher *fsnotify.Watcher, dir string, leaveOut func(path string) bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != dir:
			return nil // gone since it was listed
		case err != nil || !d.IsDir():
			return err
		case path != dir && leaveOut(path):
			return filepath.SkipDir
		}
		return watcher.Add(path)
	})
}

func nothing(string) bool { return false }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
