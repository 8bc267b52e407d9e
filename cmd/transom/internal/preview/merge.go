package preview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"transom.dev/reconciler/gitrepo"
)

// origin is the reference by which a clone knows the platform's branch.
const origin = "refs/remotes/origin/main"

// checkOut makes a clone at dir as a person has it who merged theirs into main and did not commit yet. It returns the files
// that both sides changed, where theirs are taken.
func (m *Maker) checkOut(ctx context.Context, dir string, main, theirs *gitrepo.Snapshot) (conflicts []string, err error) {
	if err := m.lend(ctx, dir, theirs.Commit, main.Commit); err != nil {
		return nil, err
	}
	clone, err := gitrepo.Open(dir)
	if err != nil {
		return nil, err
	}
	fork, err := clone.Fork(origin)
	if errors.Is(err, gitrepo.ErrUnrelated) {
		return nil, hindrance("the branch has no commit in common with the platform's")
	}
	if err != nil {
		return nil, err
	}
	base, err := clone.At(fork)
	if err != nil {
		return nil, err
	}
	files, conflicts, err := merge(base, main, theirs)
	if err != nil {
		return nil, err
	}
	return conflicts, write(dir, files, main.Commit)
}

// checkOutDraft makes a clone at dir as a person has it who is at main and wrote a file.
func (m *Maker) checkOutDraft(ctx context.Context, dir string, main *gitrepo.Snapshot, d Draft) error {
	if err := m.lend(ctx, dir, main.Commit, main.Commit); err != nil {
		return err
	}
	files, err := contents(main)
	if err != nil {
		return err
	}
	files[d.File] = []byte(d.Content)
	if file := besideItself(files); file != "" {
		return hindrance(fmt.Sprintf("%q would be a file and a directory", file))
	}
	return write(dir, files, main.Commit)
}

// lend makes the repository of a clone at dir, which has a commit of the platform.
func (m *Maker) lend(ctx context.Context, dir, commit, main string) error {
	if err := m.platform.Lend(ctx, filepath.Join(dir, ".git"), commit, m.platform.URL, map[string]string{origin: main}); err != nil {
		return fmt.Errorf("lend the platform: %w", err)
	}
	return nil
}

// write writes the files of a clone at dir, whose commit is head.
func write(dir string, files map[string][]byte, head string) error {
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, ".git", "HEAD"), []byte(head+"\n"), 0o600)
}

// merge has the files of main with the changes that theirs made since base. A file that both changed is theirs, and a conflict.
func merge(base, main, theirs fs.FS) (merged map[string][]byte, conflicts []string, err error) {
	var sides [3]map[string][]byte
	for i, side := range []fs.FS{base, main, theirs} {
		if sides[i], err = contents(side); err != nil {
			return nil, nil, err
		}
	}
	before, merged, after := sides[0], sides[1], sides[2]
	names := map[string]bool{}
	for _, side := range []map[string][]byte{before, after} {
		for name := range side {
			names[name] = true
		}
	}
	for name := range names {
		was, wasThere := before[name]
		now, there := merged[name]
		next, stays := after[name]
		theyChanged := wasThere != stays || !bytes.Equal(was, next)
		weChanged := wasThere != there || !bytes.Equal(was, now)
		same := there == stays && bytes.Equal(now, next)
		if !theyChanged || same {
			continue
		}
		if weChanged {
			conflicts = append(conflicts, name)
		}
		if merged[name] = next; !stays {
			delete(merged, name)
		}
	}
	if file := besideItself(merged); file != "" {
		return nil, nil, hindrance(fmt.Sprintf("one side has a file %q, and the other one a directory", file))
	}
	slices.Sort(conflicts)
	return merged, conflicts, nil
}

// besideItself is the first name that is a file's and a directory's; empty: none is.
func besideItself(files map[string][]byte) string {
	var both []string
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, file := files[dir]; file {
				both = append(both, dir)
			}
		}
	}
	slices.Sort(both)
	return append(both, "")[0]
}

// contents reads the regular files of a commit. Names that lead elsewhere are none of a platform's.
func contents(tree fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == ".":
			return fs.SkipAll // a commit without files
		case err != nil:
			return err
		case entry.IsDir() && strings.EqualFold(entry.Name(), ".git"):
			return fs.SkipDir
		case !entry.Type().IsRegular() || !filepath.IsLocal(name) || strings.EqualFold(entry.Name(), ".git"):
			return nil
		}
		files[name], err = fs.ReadFile(tree, name)
		return err
	})
	return files, err
}

// note names the files that both sides changed.
func note(conflicts []string) string {
	if len(conflicts) == 0 {
		return ""
	}
	const shown = 5
	text := fmt.Sprintf("%q", conflicts[:min(len(conflicts), shown)])
	more := ""
	if len(conflicts) > shown {
		more = fmt.Sprintf(" and %d more", len(conflicts)-shown)
	}
	return "\nBoth sides changed the following files; the plan is of the request's:\n" + block(text+more)
}
