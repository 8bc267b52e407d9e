package preview_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/preview"
)

// desk is one at which plans of a platform are made until the test ends.
func desk(t *testing.T, p *platform) *preview.Desk {
	d := &preview.Desk{
		Maker: p.Maker, Head: func() string { return p.head },
		List: func(context.Context) (map[string]string, error) {
			return map[string]string{"main": p.head, "change": p.change}, nil
		},
		States: func() ([]preview.State, error) {
			return []preview.State{{Environment: "dev", Repository: p.state(), Branch: "main", Commit: p.head}}, nil
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return d
}

// made is the plan of the branch change, once it is made.
func made(t *testing.T, d *preview.Desk, commit string) (plan preview.Plan) {
	require.Eventually(t, func() bool {
		var err error
		plan, err = d.Plan(t.Context(), "change", commit, nil)
		require.NoError(t, err)
		return plan.Text != ""
	}, time.Minute, 10*time.Millisecond)
	return plan
}

// TestPlanIsMadeOncePerCommits: whoever looks again gets the plan that is there, until the branch moves.
func TestPlanIsMadeOncePerCommits(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	p := newPlatform(t, `echo run >> "`+runs+`"; echo "### Transom plan"`)
	d := desk(t, p)
	heads, err := d.Branches(t.Context())
	require.NoError(t, err)
	require.Equal(t, p.change, heads["change"])
	require.Contains(t, made(t, d, p.change).Text, "### Transom plan\n")
	plan := made(t, d, p.change)
	require.Equal(t, p.head, plan.Head)
	require.Equal(t, p.change, plan.Commit)
	p.git("-C", p.dir, "checkout", "-q", "change")
	moved := p.commit(map[string]string{"new": "3"})
	made(t, d, moved)
	content, err := os.ReadFile(runs)
	require.NoError(t, err)
	require.Equal(t, "run\nrun\n", string(content))
	_, err = d.Plan(t.Context(), "change", p.change, nil)
	require.NoError(t, err, "what was made stays")
	p.change = moved
	require.Eventually(t, func() bool {
		_, err := d.Plan(t.Context(), "change", p.head, nil)
		return errors.Is(err, preview.ErrMoved)
	}, time.Minute, 10*time.Millisecond)
}

// TestAPlanIsOfItsReaders: the command is told whose differences it may show, and nobody gets the plan of others.
func TestAPlanIsOfItsReaders(t *testing.T) {
	p := newPlatform(t, `echo "### Transom plan"; echo "$@"`)
	d := desk(t, p)
	text := func(readers *preview.Readers) (text string) {
		require.Eventually(t, func() bool {
			plan, err := d.Plan(t.Context(), "change", p.change, readers)
			require.NoError(t, err)
			text = plan.Text
			return text != ""
		}, time.Minute, 10*time.Millisecond)
		return text
	}
	require.NotContains(t, text(nil), "--diffs-of")
	require.Contains(t, text(&preview.Readers{Teams: []string{"payments", "search"}}), "--diffs-of=payments,search\n")
	require.Contains(t, text(&preview.Readers{}), "--diffs-of=\n")
	require.Contains(t, text(&preview.Readers{Teams: []string{"payments"}}), "--diffs-of=payments\n")
	require.NotContains(t, text(nil), "--diffs-of")
}

// TestSoManyPlansWaitAndNoMore: nobody fills the memory by asking, and what is being made is told.
func TestSoManyPlansWaitAndNoMore(t *testing.T) {
	p := newPlatform(t, `echo "### Transom plan"`)
	d := &preview.Desk{Maker: p.Maker, Head: func() string { return p.head }, States: func() ([]preview.State, error) { return nil, nil }}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.Canceled) // nobody waits for them
	for _, branch := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		_, err := d.Plan(ctx, branch, p.change, nil)
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := d.Plan(ctx, "9", p.change, nil)
	require.ErrorIs(t, err, preview.ErrBusy)
	plan, err := d.Plan(t.Context(), "8", p.change, nil) // it waits already
	require.NoError(t, err)
	require.Empty(t, plan.Text)
}

// TestADraftIsPlannedInThePlatformsHead: the process sees the head with the file, as a person has it who did not commit it yet, and the
// plan of the same draft is made once.
func TestADraftIsPlannedInThePlatformsHead(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	p := newPlatform(t, `echo run >> "`+runs+`"; echo "### Transom plan"; echo "$@"; cd platform
for f in * a/* new/*; do test -d "$f" || echo "$f: $(/bin/cat "$f")"; done; /bin/cat .git/HEAD .git/refs/remotes/origin/main`)
	d := desk(t, p)
	text := func(draft preview.Draft) (text string) {
		require.Eventually(t, func() bool {
			plan, err := d.PlanDraft(t.Context(), draft, &preview.Readers{Teams: []string{"store"}})
			require.NoError(t, err)
			require.Equal(t, p.head, plan.Head)
			text = plan.Text
			return text != ""
		}, time.Minute, 10*time.Millisecond)
		return text
	}
	want := "### Transom plan\nplan platform --state the states of the environments --output markdown --files  --diffs-of=store\n"
	files := "a/*: \nnew/shop: made\n" + p.head + "\n" + p.head + "\n"
	kept := "both: 3\ngone: 1\nkept: 1\nours: 3\ntheirs: 1\n"
	require.Equal(t, want+kept+files, text(preview.Draft{File: "new/shop", Content: "made"}))
	text(preview.Draft{File: "new/shop", Content: "made"})
	require.Contains(t, text(preview.Draft{File: "kept", Content: "changed"}), "\nkept: changed\n")
	require.Contains(t, text(preview.Draft{File: "kept/below", Content: "1"}), "\"kept\" would be a file and a directory")
	before := p.head
	p.head = p.commit(map[string]string{"ours": "4"})
	plan, err := d.PlanDraft(t.Context(), preview.Draft{File: "new/shop", Content: "made"}, &preview.Readers{Teams: []string{"store"}})
	require.NoError(t, err)
	require.Equal(t, before, plan.Head, "it stays while the platform moves")
	require.Contains(t, text(preview.Draft{File: "new/shop", Content: "made", Asked: "again"}), "ours: 4\n")
	content, err := os.ReadFile(runs)
	require.NoError(t, err)
	require.Equal(t, "run\nrun\nrun\n", string(content))
	left, err := filepath.Glob(filepath.Join(p.Dir, "plan-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestDraftsLeaveRoomForBranches: people make any number of drafts, so that few of them wait.
func TestDraftsLeaveRoomForBranches(t *testing.T) {
	p := newPlatform(t, `echo "### Transom plan"`)
	d := &preview.Desk{Maker: p.Maker, Head: func() string { return p.head }, States: func() ([]preview.State, error) { return nil, nil }}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.Canceled) // nobody waits for them
	for _, person := range []string{"1", "2", "3", "4"} {
		_, err := d.PlanDraft(ctx, preview.Draft{File: "new", Content: person, Person: person}, nil)
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := d.PlanDraft(ctx, preview.Draft{File: "new", Content: "5", Person: "5"}, nil)
	require.ErrorIs(t, err, preview.ErrBusy)
	_, err = d.PlanDraft(ctx, preview.Draft{File: "new", Content: "4", Person: "5"}, nil)
	require.ErrorIs(t, err, context.Canceled, "it waits already")
	_, err = d.Plan(ctx, "change", p.change, nil)
	require.ErrorIs(t, err, context.Canceled, "a branch finds room")
}

// TestADraftTakesThePlaceOfThatPersonsOldOne: however many drafts one person makes, others find room, and the latest one is made.
func TestADraftTakesThePlaceOfThatPersonsOldOne(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	p := newPlatform(t, `/bin/cat platform/new >> "`+runs+`"; echo "### Transom plan"`)
	d := &preview.Desk{Maker: p.Maker, Head: func() string { return p.head }, States: func() ([]preview.State, error) { return nil, nil }}
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(context.Canceled) // nobody waits for them
	drafts := []preview.Draft{
		{File: "new", Content: "1 ", Person: "mine"},
		{File: "new", Content: "2 ", Person: "mine"},
		{File: "new", Content: "3 ", Person: "mine"},
		{File: "new", Content: "4 ", Person: "mine"},
		{File: "new", Content: "5 ", Person: "mine"},
		{File: "new", Content: "6 ", Person: "theirs"},
	}
	for _, draft := range drafts {
		_, err := d.PlanDraft(gone, draft, nil)
		require.ErrorIs(t, err, context.Canceled)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	require.Eventually(t, func() bool {
		plan, err := d.PlanDraft(t.Context(), drafts[5], nil)
		require.NoError(t, err)
		return plan.Text != ""
	}, time.Minute, 10*time.Millisecond)
	content, err := os.ReadFile(runs)
	require.NoError(t, err)
	require.Equal(t, "5 6 ", string(content))
	require.Eventually(t, func() bool {
		plan, err := d.PlanDraft(t.Context(), drafts[0], nil)
		require.NoError(t, err)
		return plan.Text != "" && plan.Draft.Content == "1 "
	}, time.Minute, 10*time.Millisecond, "the old one is made where somebody still looks at it")
	end()
	require.NoError(t, <-ended)
}

// TestAPlanThatCannotBeMadeIsToldAsSuch: a person is offered to try again.
func TestAPlanThatCannotBeMadeIsToldAsSuch(t *testing.T) {
	p := newPlatform(t, `echo "no memory" >&2; exit 2`)
	plan := made(t, desk(t, p), p.change)
	require.True(t, plan.Failed(), plan.Text)
	require.Contains(t, plan.Text, "no memory")
	p = newPlatform(t, `echo "### Transom plan"`)
	require.False(t, made(t, desk(t, p), p.change).Failed())
}
