package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/cmd/transom/internal/workspace"
)

// demoRepositories are the bare repositories of the demo, and a clone as a developer has it.
type demoRepositories struct {
	platform string // platform.git
	clone    string
}

// seed makes the bare repositories and pushes the sample platform to the first.
func (d *Demo) seed(ctx context.Context, m *monitor) (*demoRepositories, error) {
	since := time.Now()
	r := &demoRepositories{platform: filepath.Join(d.Dir, "platform.git"), clone: filepath.Join(d.Dir, "clone")}
	bare := []string{r.platform}
	for _, name := range workspace.Environments(d.platform) {
		url := remote.Resolve(r.platform, d.platform.Environments[name].State.URL)
		if !strings.HasPrefix(url, d.Dir+string(filepath.Separator)) {
			return nil, fmt.Errorf("environment %s keeps its state at %s: the demo runs platforms whose state is beside them, such as ../state-%s.git", name, url, name)
		}
		bare = append(bare, url)
	}
	for _, dir := range bare {
		if _, err := r.git(ctx, d.Dir, "init", "-q", "--bare", "-b", "main", dir); err != nil {
			return nil, err
		}
	}
	if _, err := r.git(ctx, d.Dir, "clone", "-q", r.platform, r.clone); err != nil {
		return nil, err
	}
	if err := copyPlatform(r.clone, d.Example); err != nil {
		return nil, err
	}
	if hasStory(d.platform) {
		if err := errors.Join(r.edit(prodFile, asksPeople, asksNobody), r.edit(prodFile, prometheus, "http://"+m.address)); err != nil {
			return nil, err
		}
	}
	if _, err := r.git(ctx, r.clone, "checkout", "-q", "-B", "main"); err != nil {
		return nil, err
	}
	if _, err := r.push(ctx, "begin with the sample platform"); err != nil {
		return nil, err
	}
	d.took(since, "the platform has its repository, %s, and its environments theirs: %s",
		r.platform, strings.Join(workspace.Environments(d.platform), ", "))
	return r, nil
}

// copyPlatform copies a platform without its dotfiles, which mean nothing in one.
func copyPlatform(to, from string) error {
	return fs.WalkDir(os.DirFS(from), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		content, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("copy the platform: %w", err)
		}
		return workspace.WriteFile(filepath.Join(to, filepath.FromSlash(name)), content)
	})
}

// edit replaces text in a file of the clone.
func (r *demoRepositories) edit(file, old, replacement string) error {
	name := filepath.Join(r.clone, filepath.FromSlash(file))
	content, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("edit %s: %w", file, err)
	}
	if !strings.Contains(string(content), old) {
		return fmt.Errorf("edit %s: it does not contain %q", file, old)
	}
	return workspace.WriteFile(name, []byte(strings.Replace(string(content), old, replacement, 1)))
}

// write writes a file of the clone.
func (r *demoRepositories) write(file, content string) error {
	return workspace.WriteFile(filepath.Join(r.clone, filepath.FromSlash(file)), []byte(content))
}

// copyVersion makes a version of an offering out of another one, without its tests, and edits files of it.
func (r *demoRepositories) copyVersion(offering, from, to string, edits map[string][2]string) error {
	dir := "offerings/" + offering + "/"
	source := filepath.Join(r.clone, filepath.FromSlash(dir+from))
	target := filepath.Join(r.clone, filepath.FromSlash(dir+to))
	if err := os.CopyFS(target, os.DirFS(source)); err != nil {
		return fmt.Errorf("copy %s%s: %w", dir, from, err)
	}
	if err := os.RemoveAll(filepath.Join(target, "tests")); err != nil {
		return fmt.Errorf("copy %s%s: %w", dir, from, err)
	}
	for file, edit := range edits {
		if err := r.edit(dir+to+"/"+file, edit[0], edit[1]); err != nil {
			return err
		}
	}
	return nil
}

// push commits everything in the clone and pushes it, as a developer would, and returns the commit.
func (r *demoRepositories) push(ctx context.Context, message string) (string, error) {
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", message}, {"push", "-q", "origin", "main"}} {
		if _, err := r.git(ctx, r.clone, args...); err != nil {
			return "", err
		}
	}
	return r.git(ctx, r.clone, "rev-parse", "HEAD")
}

// git runs a git command, untouched by the settings of who runs the demo.
func (r *demoRepositories) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Developer", "GIT_AUTHOR_EMAIL=developer@acme.example",
		"GIT_COMMITTER_NAME=Developer", "GIT_COMMITTER_EMAIL=developer@acme.example")
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}
