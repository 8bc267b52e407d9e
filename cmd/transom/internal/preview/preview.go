// Package preview makes plans of pull requests, of branches and of drafts for the daemon, each in a process of its own.
//
// In come a branch of the platform repository with its commit, or a file that nobody committed yet, and the commits that the platform and the states of its
// environments are at. Out comes the plan of merging one into the other, as the comment that "transom plan -o markdown" makes.
// The process is the same binary; it has no credentials and no network to need, and ends at a limit of time, processor time
// and memory. Nothing that is fetched for it, nor its files, are of use to anybody else.
package preview

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/reconciler/gitrepo"
)

const (
	// longest is how long a plan may take, and processorTime how many seconds of processors.
	longest       = 3 * time.Minute
	processorTime = 240
	// memory is how much memory a plan may need: a platform of ten thousand requests takes half of it.
	memory = 2 << 30
	// mostText is how long a plan may be; the command cuts it before.
	mostText = 256 << 10
	// heading begins every plan.
	heading = "### Transom plan"
)

// ErrMoved says that a branch is not at the commit that was named.
var ErrMoved = errors.New("it moved meanwhile")

// A hindrance is something about the commits of a branch that lets no plan be made, however often it is tried. It is told instead
// of the plan.
type hindrance string

func (h hindrance) Error() string { return string(h) }

// A State is the state of an environment: a commit of a branch.
type State struct {
	Environment string
	Repository  *gitrepo.Remote
	Branch      string
	Commit      string
}

// Readers are people who see the differences of their own teams alone.
type Readers struct{ Teams []string }

// A Draft is the content of a file of the platform repository that nobody committed yet.
type Draft struct {
	File, Content string
	Asked         string // any text: the plan is made again for another one
	Person        string // who looks at it; empty: nobody knows who
}

// A Maker makes plans, one at a time.
type Maker struct {
	Open   func(dir string) *gitrepo.Remote // the platform repository, with a mirror of its own at dir
	Dir    string                           // for files that are needed meanwhile, on the disk of the mirrors of states; its content is removed
	Binary string                           // transom; empty: this process

	platform *gitrepo.Remote
	opened   time.Time
}

// renewal is how long a mirror is kept: branches that are gone stay in it.
const renewal = 24 * time.Hour

// open opens the platform repository, with a new mirror now and then.
func (m *Maker) open() error {
	if m.platform != nil && time.Since(m.opened) < renewal {
		return nil
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return err
	}
	m.platform, m.opened = m.Open(filepath.Join(m.Dir, "platform.git")), time.Now()
	return nil
}

// Plan makes the plan of merging a commit, at which a branch is, into the platform's head, for environments with these
// states. Files is the address below which the files of the commit can be seen. Nil readers see all differences.
func (m *Maker) Plan(ctx context.Context, branch, commit, head, files string, of []State, readers *Readers) (string, error) {
	return m.plan(ctx, head, files, of, readers, func(ctx context.Context, dir string, main *gitrepo.Snapshot) (string, error) {
		theirs, err := m.platform.FetchBeside(ctx, branch)
		if err != nil {
			return "", err
		}
		if theirs.Commit != commit {
			return "", ErrMoved
		}
		conflicts, err := m.checkOut(ctx, dir, main, theirs)
		return note(conflicts), err
	})
}

// PlanDraft makes the plan of a file in the platform's head, which nobody committed yet, in the same way.
func (m *Maker) PlanDraft(ctx context.Context, d Draft, head string, of []State, readers *Readers) (string, error) {
	return m.plan(ctx, head, "", of, readers, func(ctx context.Context, dir string, main *gitrepo.Snapshot) (string, error) {
		return "", m.checkOutDraft(ctx, dir, main, d)
	})
}

// plan makes the plan of a clone, which checkOut makes at a directory: its files differ from the platform's head. The note that it returns
// ends the plan.
func (m *Maker) plan(ctx context.Context, head, files string, of []State, readers *Readers,
	checkOut func(ctx context.Context, dir string, main *gitrepo.Snapshot) (note string, err error),
) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := m.open(); err != nil {
		return "", fmt.Errorf("make a directory for plans: %w", err)
	}
	if _, err := m.platform.Fetch(ctx); err != nil {
		return "", err
	}
	main, err := m.platform.At(ctx, head)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(m.Dir, "plan-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	note, err := checkOut(ctx, filepath.Join(dir, "platform"), main)
	if unfit := hindrance(""); errors.As(err, &unfit) {
		return failed(string(unfit)), nil
	}
	if err != nil {
		return "", err
	}
	if err := lend(ctx, filepath.Join(dir, stateDir), of); err != nil {
		return "", err
	}
	text, err := m.run(ctx, dir, files, readers)
	return text + note, err
}

// stateDir is the directory of the states. A plan says that it is compared with it.
const stateDir = "the states of the environments"

// lend makes a repository of each state, as the command reads them.
func lend(ctx context.Context, dir string, of []State) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, s := range of {
		refs := map[string]string{"refs/heads/" + s.Branch: s.Commit}
		if err := s.Repository.Lend(ctx, filepath.Join(dir, s.Environment+states.Bare), s.Commit, "", refs); err != nil {
			return fmt.Errorf("lend the state of %s: %w", s.Environment, err)
		}
	}
	return nil
}

// run has the command make the plan. A plan with Problems exits with 1, as a failure does, but has a text.
func (m *Maker) run(ctx context.Context, dir, files string, readers *Readers) (string, error) {
	binary := cmp.Or(m.Binary, executable)
	args := []string{"plan", "platform", "--state", stateDir, "--output", "markdown", "--files", files}
	if readers != nil {
		args = append(args, "--diffs-of="+strings.Join(readers.Teams, ","))
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=", "NO_COLOR=1", fmt.Sprintf("GOMEMLIMIT=%d", memory/2)}
	cmd.WaitDelay = time.Second
	out, said := &bounded{most: mostText}, &bounded{most: 4 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	if err := start(cmd); err != nil {
		return "", fmt.Errorf("start the process of a plan: %w", err)
	}
	err := cmd.Wait()
	text := out.kept.String()
	switch {
	case strings.HasPrefix(text, heading) && !out.cut && cmd.ProcessState.Exited(): // one that a signal ended may not have said all
		return text, nil
	case ctx.Err() != nil:
		return failed(fmt.Sprintf("it took longer than %s", longest)), nil
	case out.cut:
		return failed(fmt.Sprintf("it is longer than %d KiB", mostText>>10)), nil
	case said.kept.Len() > 0:
		return failed(strings.ReplaceAll(said.kept.String(), dir+string(filepath.Separator), "")), nil
	default:
		return failed(fmt.Sprintf("it needed more than %d GiB of memory or %d s of processor time (%v)", memory>>30, processorTime, err)), nil
	}
}

// noPlan begins the comment where there is no plan.
const noPlan = heading + "\n\nNo plan could be made; `transom plan` in a clone may say more.\n\n"

// failed is the comment where there is no plan. The reason is in a block, in which nothing means anything.
func failed(why string) string { return noPlan + block(strings.TrimSpace(why)) }

// isFailure says whether a comment says why there is no plan.
func isFailure(text string) bool { return strings.HasPrefix(text, noPlan) }

// block shows text as it is.
func block(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + text + "\n" + fence + "\n"
}

// A bounded buffer keeps the first bytes that are written to it.
type bounded struct {
	kept bytes.Buffer
	most int
	cut  bool
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	room := max(0, b.most-b.kept.Len())
	b.cut = b.cut || len(p) > room
	b.kept.Write(p[:min(len(p), room)])
	return len(p), nil
}
