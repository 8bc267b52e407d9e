// Package demo runs everything on one machine: a fleet of real control planes, a sample platform in Git, the daemon, and a
// story of releases that everybody can watch or a program can check.
//
// In come a sample platform, the sandbox binary and a way to run command lines of Transom; out come lines that say what was
// seen, each read off the API servers, the state repositories or the daemon, and an error for the first thing that was
// not. It uses Transom as people do, past its command line only to look, and leaves nothing running.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// A Demo is a platform to run, and the way to run it.
type Demo struct {
	Check   bool          // look at everything, unattended, and end
	Dir     string        // to keep everything in, empty or new; omitted, a temporary one
	Example string        // the platform; omitted, examples/acme
	Sandbox string        // the binary; omitted, the one beside this binary
	Listen  string        // address of the console; omitted, the usual one or any that is free
	Timeout time.Duration // how long check waits for any one thing

	// run executes a command line of Transom: the daemon, and questions to it.
	Transom func(ctx context.Context, args []string, out io.Writer) error

	out      io.Writer
	paint    terminal.Paint
	screen   *terminal.Screen
	platform *platform.Platform
	repos    *demoRepositories
	client   client.Client
	began    time.Time
}

// Run is the whole demo: everything that it starts has ended when it returns.
func (d *Demo) Run(ctx context.Context, out io.Writer) (err error) {
	d.out, d.paint, d.screen, d.began = out, terminal.PaintFor(out), terminal.NewScreen(out), time.Now()
	if err := d.find(); err != nil {
		return err
	}
	remove, err := d.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	fleet, err := d.startFleet(ctx, cancel)
	if err != nil {
		return err
	}
	defer fleet.stop()
	watcher, watching, err := startMonitor(ctx, d)
	if err != nil {
		return err
	}
	defer watching.stop()
	if d.repos, err = d.seed(ctx, watcher); err != nil {
		return err
	}
	daemon, asked, err := d.startDaemon(ctx, watcher, cancel)
	if err != nil {
		return err
	}
	d.client = asked
	defer daemon.stop()
	if err := d.alone(ctx); err != nil {
		return d.failed(ctx, err)
	}
	if d.Check {
		return nil
	}
	if err := d.tour(); err != nil {
		return err
	}
	d.follow(ctx)
	d.say("\ntaking everything down")
	return d.failed(ctx, nil)
}

// alone runs the part that needs nobody: everything becomes healthy, the story, and with --check the checks.
func (d *Demo) alone(ctx context.Context) error {
	i, err := d.inspect()
	if err != nil {
		return err
	}
	if err := d.converge(ctx); err != nil {
		return err
	}
	if err := i.tell(ctx); err != nil {
		return err
	}
	if d.Check {
		return i.checkAll(ctx)
	}
	return nil
}

// failed prefers the cause of the end, such as a daemon that died, over its consequences.
func (d *Demo) failed(ctx context.Context, err error) error {
	d.screen.End()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil && d.Check {
		d.lastWords()
	}
	return err
}

// find finds the platform and the sandbox binary before anything is started.
func (d *Demo) find() (err error) {
	if d.Example, err = findExample(d.Example); err != nil {
		return err
	}
	if d.platform, err = workspace.Load(d.Example); err != nil {
		return err
	}
	if d.Check && !hasStory(d.platform) {
		return fmt.Errorf("--check tells the story of examples/acme, and %s is another platform", d.Example)
	}
	d.Sandbox, err = findSandbox(d.Sandbox)
	return err
}

// findExample looks for the sample platform where the repository is, or where the binary was built in it.
func findExample(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	roots := []string{"."}
	if binary, err := os.Executable(); err == nil {
		roots = append(roots, filepath.Join(filepath.Dir(binary), ".."))
	}
	for _, root := range roots {
		dir := filepath.Join(root, "examples", "acme")
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", errors.New("the sample platform examples/acme is not here: run this in Transom's repository, or give --example")
}

func findSandbox(given string) (string, error) {
	if given == "" {
		binary, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find the sandbox: %w", err)
		}
		given = filepath.Join(filepath.Dir(binary), "sandbox")
	}
	file, err := filepath.Abs(given)
	if err == nil {
		_, err = os.Stat(file)
	}
	if err != nil {
		return "", fmt.Errorf("no sandbox at %s: build it with \"make build\", or give --sandbox", given)
	}
	return file, nil
}

// directory makes the directory that everything lives in, and returns a function that removes it again.
func (d *Demo) directory() (remove func() error, err error) {
	if d.Dir == "" {
		if d.Dir, err = os.MkdirTemp("", "transom-demo-"); err != nil {
			return nil, fmt.Errorf("make a directory for the demo: %w", err)
		}
		return func() error { return os.RemoveAll(d.Dir) }, nil
	}
	if d.Dir, err = filepath.Abs(d.Dir); err != nil {
		return nil, fmt.Errorf("find --dir: %w", err)
	}
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --dir: %w", err)
	}
	if entries, err := os.ReadDir(d.Dir); err != nil || len(entries) > 0 {
		return nil, fmt.Errorf("--dir %s is not empty: give an empty or a new directory", d.Dir)
	}
	return func() error { return nil }, nil
}

func (d *Demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// took is a line of an observation, with the time that it took.
func (d *Demo) took(since time.Time, format string, args ...any) {
	d.screen.End()
	d.say("%s %5.1f s  %s", d.paint.Green("✓"), time.Since(since).Seconds(), fmt.Sprintf(format, args...))
}
