package reconciler_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

var update = flag.Bool("update", false, "rewrite what the archives of testdata want")

// TestPlanIsWhatIsCommitted is invariant 1. Each archive of testdata/plans is laid over testdata/platform.txtar (an
// empty file removes one), for the platform before with its files below before/ on top. The daemon commits the one;
// of the other, as a work tree, the plan is made and then merged. The files that the daemon commits below clusters/, until
// nothing is under way any more, are byte for byte those of the plan; want is that plan, for people to review.
func TestPlanIsWhatIsCommitted(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.txtar")
	require.NoError(t, err)
	require.Greater(t, len(files), 20)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			planAndMerge(t, file)
		})
	}
}

func planAndMerge(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	before, after, want := situation(t, archive)
	s := newSystem(t)
	s.git(s.dir, "init", "-q", "--bare", "-b", "main", "state-prod.git")
	s.replace(before)
	first := s.commit("before")
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	for _, environment := range []string{"dev", "prod"} {
		s.stands(environment, first)
		s.rests(environment)
	}

	s.replace(after)
	plans, mistakes := s.plan()
	committed := map[string]map[string]string{}
	states := map[string]*gitrepo.Snapshot{"dev": s.state("dev"), "prod": s.state("prod")}
	merged := s.commit("after")
	s.Trigger.Fire("test")
	for environment, state := range states {
		if plans[environment] != nil {
			s.stands(environment, merged)
			s.rests(environment)
		}
		committed[environment] = differences(t, state, s.state(environment))
	}
	var said strings.Builder
	for _, environment := range []string{"dev", "prod"} {
		require.Equal(t, plans[environment].files(), committed[environment], environment)
		said.WriteString(plans[environment].String())
	}
	said.WriteString(mistakes)
	if *update {
		archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
		archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(said.String())})
		require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
		return
	}
	require.Equal(t, want, said.String())
}

// rests waits until nothing in an environment is under way.
func (s *system) rests(environment string) {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		moving := slices.ContainsFunc(s.Board.Status().Instances, func(in status.Instance) bool {
			return in.Environment == environment && in.Rollout != nil
		})
		if !moving {
			return
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "not at rest", environment)
		}
	}
}

// situation is the platform before and after.
func situation(t *testing.T, archive *txtar.Archive) (before, after map[string][]byte, want string) {
	common, err := txtar.ParseFile("testdata/platform.txtar")
	require.NoError(t, err)
	before, after = map[string][]byte{}, map[string][]byte{}
	for _, f := range common.Files {
		before[f.Name], after[f.Name] = f.Data, f.Data
	}
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "before/"); ok {
			before[name] = f.Data
		}
	}
	for _, f := range archive.Files {
		switch {
		case f.Name == "want":
			want = string(f.Data)
		case !strings.HasPrefix(f.Name, "before/"):
			after[f.Name] = f.Data
		}
	}
	return before, after, want
}

// replace makes files all that the clone's work tree has.
func (s *system) replace(files map[string][]byte) {
	s.t.Helper()
	s.git(s.clone(), "rm", "-rq", "--ignore-unmatch", ".")
	for name, content := range files {
		if len(content) == 0 {
			continue
		}
		file := filepath.Join(s.clone(), filepath.FromSlash(name))
		require.NoError(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(s.t, os.WriteFile(file, content, 0o644))
	}
}

// state is the content of an environment's state repository.
func (s *system) state(environment string) *gitrepo.Snapshot {
	s.t.Helper()
	snapshot, err := gitrepo.OpenBranch(filepath.Join(s.dir, "state-"+environment+".git"), "main")
	require.NoError(s.t, err)
	return snapshot
}

// plan makes the plan of the work tree for each environment (nil: it has no such environment any more), and the mistakes in
// the files themselves.
func (s *system) plan() (plans map[string]*plan, mistakes string) {
	s.t.Helper()
	p, err := platform.Load(os.DirFS(s.clone()))
	require.NoError(s.t, err)
	for _, problem := range p.Problems {
		mistakes += problem.String() + "\n"
	}
	plans = map[string]*plan{"dev": nil, "prod": nil}
	var again map[string]*plan
	for _, commit := range []string{"", "0123456789012345678901234567890123456789"} {
		p.Commit = commit
		plans, again = s.foreseen(p), plans
	}
	for environment, found := range plans {
		require.Equal(s.t, again[environment].digest, found.digest, "a plan's digest knows no commit")
	}
	return plans, mistakes
}

// plan is all that a plan says of one environment.
type plan struct {
	state    *render.State
	changes  []preview.Change
	moves    []preview.Move
	cautions []preview.Caution
	digest   string
}

// foreseen is the outcome of the daemon's own passes with a platform.
func (s *system) foreseen(p *platform.Platform) map[string]*plan {
	s.t.Helper()
	f := reconciler.Foresight{
		Platform: p, States: map[string]reconciler.Recorded{}, Renderer: &render.Renderer{}, Now: time.Now(),
		Generation: func(_ context.Context, commit string) (int, error) {
			if commit == p.Commit {
				return 2, nil
			}
			return 1, nil
		},
	}
	for _, environment := range []string{"dev", "prod"} {
		if p.Environments[environment] == nil {
			continue
		}
		base, err := render.ReadBase(s.state(environment))
		require.NoError(s.t, err)
		f.Order, f.States[environment] = append(f.Order, environment), reconciler.Recorded{Base: base}
	}
	all, err := f.All(s.t.Context())
	require.NoError(s.t, err)
	plans := map[string]*plan{}
	for environment, to := range all {
		changes, err := preview.Changes(to.Before, to.Now)
		require.NoError(s.t, err)
		digest, err := preview.Digest(to.Before, to.Now)
		require.NoError(s.t, err)
		to.Now.Problems = to.Problems
		plans[environment] = &plan{to.Now, changes, preview.Moves(to.Before, to.Now), preview.Cautions(to.Before, to.Now, changes), digest}
	}
	return plans
}

// files are the plan's bytes below clusters/.
func (p *plan) files() map[string]string {
	files := map[string]string{}
	if p == nil {
		return files
	}
	for name, content := range p.state.Changes {
		if strings.HasPrefix(name, "clusters/") {
			files[name] = string(content)
		}
	}
	return files
}

// String is the plan in lines, without its differences.
func (p *plan) String() string {
	if p == nil {
		return "the environment is let go\n"
	}
	var lines strings.Builder
	for _, c := range p.changes {
		object := c.Object()
		if c.Action == preview.LetGo {
			object = "all"
		}
		if len(c.Immutable) > 0 {
			object += " for " + strings.Join(c.Immutable, ", ")
		}
		fmt.Fprintf(&lines, "%s %s: %s/%s: %s %s\n", c.Environment, c.Cluster, c.Team, c.Request, c.Action, object)
	}
	for _, m := range p.moves {
		fmt.Fprintf(&lines, "%s: %s %s to %s moves %v, and not %v\n", p.state.Environment, m.Offering, m.From, m.To, m.Requests, m.Stay)
	}
	for _, c := range p.cautions {
		fmt.Fprintf(&lines, "%s: %s: %s/%s: %s\n", p.state.Environment, c.Danger, c.Team, c.Request, c.Message)
	}
	for _, problem := range p.state.Problems {
		fmt.Fprintf(&lines, "%s: %s\n", p.state.Environment, problem)
	}
	return lines.String()
}

// differences are the files below clusters/ that differ between two states, with their new content; empty: removed.
func differences(t *testing.T, before, after *gitrepo.Snapshot) map[string]string {
	t.Helper()
	was, err := before.Blobs(".")
	require.NoError(t, err)
	is, err := after.Blobs(".")
	require.NoError(t, err)
	changed := map[string]string{}
	all := maps.Clone(was)
	maps.Copy(all, is)
	for name := range all {
		if !strings.HasPrefix(name, "clusters/") || was[name] == is[name] {
			continue
		}
		changed[name] = ""
		if is[name] != "" {
			content, err := fs.ReadFile(after, name)
			require.NoError(t, err)
			changed[name] = string(content)
		}
	}
	return changed
}
