package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"transom.dev/cmd/transom/internal/client"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	check   bool
	dir     string
	example string
	sandbox string
	listen  string
	timeout time.Duration
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run everything here: a fleet of real control planes, a sample platform, the daemon",
		Long: `Run everything here: start a local fleet of real Kubernetes control planes, put the sample platform into Git
repositories, run the daemon, and show how every request becomes healthy on every cluster. Then it tells a story: a
version is published, goes to staging by itself and to prod once a file approves it, wave by wave; a bad one is rolled
back where it fails. Then it says what to try, prints what happens, and goes on until Ctrl-C. Nothing is left behind,
unless --dir says where to keep it.

With --check nobody has to watch: beside the story, which is read off the API servers, it looks at everything on every
cluster, explains a live object, verifies every environment's state, deletes an object by hand, prints what it saw with
times, and exits with 0 or 1.`,
		Example: `  transom demo
  transom demo --check
  transom demo --dir /tmp/demo --listen 127.0.0.1:8080`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := o.run(cmd.Context(), cmd.OutOrStdout())
			if cmd.Context().Err() != nil && !o.check {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", false, "check everything unattended and end")
	f.StringVar(&o.dir, "dir", "", "keep everything in this directory, which must be empty or new; left out, a temporary one")
	f.StringVar(&o.example, "example", "", "the platform to run; left out, examples/acme")
	f.StringVar(&o.sandbox, "sandbox", "", "the sandbox binary; left out, the one beside this binary")
	f.StringVar(&o.listen, "listen", defaultListen, "address of the console; left out and taken, any free one")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long --check waits for any one thing")
	return cmd
}

// demo is what runs.
type demo struct {
	demoOptions
	out      io.Writer
	paint    terminal.Paint
	screen   *terminal.Screen
	platform *platform.Platform
	repos    *demoRepositories
	client   client.Client
	began    time.Time
}

// run is the whole demo: everything that it starts has ended when it returns.
func (o demoOptions) run(ctx context.Context, out io.Writer) (err error) {
	d := &demo{demoOptions: o, out: out, paint: terminal.PaintFor(out), screen: terminal.NewScreen(out), began: time.Now()}
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
	if d.repos, err = d.seed(ctx); err != nil {
		return err
	}
	daemon, err := d.startDaemon(ctx, cancel)
	if err != nil {
		return err
	}
	defer daemon.stop()
	if err := d.play(ctx); err != nil {
		return d.failed(ctx, err)
	}
	if o.check {
		return nil
	}
	d.tour()
	d.follow(ctx)
	d.say("\ntaking everything down")
	return d.failed(ctx, nil)
}

// play is all that comes by itself: everything becomes healthy, a version goes from dev to prod, a bad one comes back.
func (d *demo) play(ctx context.Context) error {
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
	if d.check {
		return i.checkAll(ctx)
	}
	return nil
}

// failed prefers the reason why everything ends, such as a daemon that died, over what came of it.
func (d *demo) failed(ctx context.Context, err error) error {
	d.screen.End()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil && d.check {
		d.lastWords()
	}
	return err
}

// find makes sure of all that the demo needs before anything is started.
func (d *demo) find() (err error) {
	if d.example, err = findExample(d.example); err != nil {
		return err
	}
	if d.platform, err = loadTree(d.example); err != nil {
		return err
	}
	if d.check && !hasStory(d.platform) {
		return misuse("--check tells the story of examples/acme, and %s is another platform", d.example)
	}
	d.sandbox, err = findSandbox(d.sandbox)
	return err
}

// findExample looks for the sample platform where the repository is, or where the binary was built in it.
func findExample(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	places := []string{"."}
	if binary, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(binary), ".."))
	}
	for _, place := range places {
		dir := filepath.Join(place, "examples", "acme")
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

// directory makes the directory that everything lives in, and returns what removes it again.
func (d *demo) directory() (remove func() error, err error) {
	if d.dir == "" {
		if d.dir, err = os.MkdirTemp("", "transom-demo-"); err != nil {
			return nil, fmt.Errorf("make a directory for the demo: %w", err)
		}
		return func() error { return os.RemoveAll(d.dir) }, nil
	}
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return nil, fmt.Errorf("find --dir: %w", err)
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --dir: %w", err)
	}
	if entries, err := os.ReadDir(d.dir); err != nil || len(entries) > 0 {
		return nil, fmt.Errorf("--dir %s is not empty: give an empty or a new directory", d.dir)
	}
	return func() error { return nil }, nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// took is a line of what was seen, with the time that it took.
func (d *demo) took(since time.Time, format string, args ...any) {
	d.screen.End()
	d.say("%s %5.1f s  %s", d.paint.Green("✓"), time.Since(since).Seconds(), fmt.Sprintf(format, args...))
}
