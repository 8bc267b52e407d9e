package forge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/forge"
	"transom.dev/reconciler/status"
)

// plans has a Teller make plans that say of which commits they are, and counts them.
func (s *story) plans() *atomic.Int32 {
	var made atomic.Int32
	s.Plan = func(_ context.Context, r forge.Request, head string) (string, error) {
		made.Add(1)
		return fmt.Sprintf("plan of %s into %s, see %s", r.Commit, head, r.Files), nil
	}
	return &made
}

// comments waits until the comments on a request are these.
func (s *story) comments(number int64, want ...string) {
	s.t.Helper()
	s.until(func() error {
		if got := s.forge.wrote(number); !slices.Equal(got, want) {
			return fmt.Errorf("request %d has %q, want %q", number, got, want)
		}
		return nil
	})
}

// files is where the files of a commit are shown.
func (s *story) files(commit string) string {
	if s.forge.kind == forge.GitLab {
		return "https://gitlab.example/acme/platform/-/blob/" + commit
	}
	return "https://github.example/acme/platform/blob/" + commit
}

// ours is our comment with the plan of a commit.
func (s *story) ours(commit, head string) string {
	return fmt.Sprintf("%s: <!-- transom plan %s %s -->\nplan of %s into %s, see %s", self, commit, head, commit, head, s.files(commit))
}

// TestOneCommentIsKeptUpToDate, on requests of people who may write, from the repository itself.
func TestOneCommentIsKeptUpToDate(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		made := s.plans()
		s.head("c1")
		forged := comment{7, "stranger", "<!-- transom plan c7 c1 -->\nlooks good"}
		s.forge.change(func() {
			s.forge.pulls = []pull{
				{number: 1, branch: "feature", commit: "p1", author: "writer"},
				{number: 2, branch: "main", commit: "p2", author: "writer", fork: true},
				{number: 3, branch: "other", commit: "p3", author: "stranger-of-the-house"},
				{number: 4, branch: "third", commit: "p4", author: "writer"},
				{number: 5, branch: "fifth", commit: "p5", author: ""},
			}
			s.forge.comments[1] = []comment{forged, {8, self, "hello"}, {9, "writer", "hi"}}
		})
		stop := s.run()
		others := []string{"stranger: " + forged.body, self + ": hello", "writer: hi"}
		s.comments(1, append(others, s.ours("p1", "c1"))...)
		s.comments(4, s.ours("p4", "c1"))
		for _, number := range []int64{2, 3, 5} {
			require.Empty(t, s.forge.wrote(number))
		}

		s.forge.change(func() { s.forge.pulls[0].commit = "p1b" })
		s.Look("hook")
		s.comments(1, append(others, s.ours("p1b", "c1"))...)
		stop()
		require.EqualValues(t, 3, made.Load())

		next := newStory(t, s.forge.kind)
		next.forge, next.Board = s.forge, s.board
		again := next.plans()
		before := s.forge.called("POST")
		next.run()
		asked := s.forge.called("comments") + s.forge.called("notes")
		s.forge.change(func() { s.forge.pulls[3].commit = "p4b" })
		next.Look("hook")
		s.comments(4, s.ours("p4b", "c1"))
		require.EqualValues(t, 1, again.Load(), "the plan that is there is not made again")
		require.Equal(t, before, s.forge.called("POST"))
		require.LessOrEqual(t, asked, s.forge.called("comments")+s.forge.called("notes"))
	})
}

// TestAPlanThatFailsDelaysNoOther, and one whose branch moved meanwhile is made at the next look.
func TestAPlanThatFailsDelaysNoOther(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.head("c1")
	var moved atomic.Bool
	moved.Store(true)
	s.Plan = func(_ context.Context, r forge.Request, _ string) (string, error) {
		switch {
		case r.Number == 2 && moved.Load():
			return "", forge.ErrMoved
		case r.Number == 4 && moved.Load():
			return "", errors.New("its pack does not end")
		}
		return strings.Repeat("é", 40_000), nil
	}
	s.forge.change(func() {
		for _, number := range []int64{4, 1, 2, 3} {
			s.forge.pulls = append(s.forge.pulls, pull{number: number, branch: "b", commit: "p", author: "writer"})
		}
	})
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		refused := r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/issues/1/")
		if refused {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprint(w, `{"message": "the conversation is locked"}`)
		}
		return refused
	}
	s.forge.fails(refuse)
	s.run()
	one := func(number int64) error {
		if n := len(s.forge.wrote(number)); n != 1 {
			return fmt.Errorf("request %d has %d comments", number, n)
		}
		return nil
	}
	s.until(func() error { return one(3) })
	require.Empty(t, s.forge.wrote(1))
	require.Empty(t, s.forge.wrote(2))
	require.Empty(t, s.forge.wrote(4))
	require.LessOrEqual(t, len(s.forge.wrote(3)[0]), 65_536+len(self)+2)
	require.Contains(t, s.forge.wrote(3)[0], "é\n\n… cut to fit one comment; `transom plan` shows it all\n")
	s.until(func() error {
		said := s.board.Status().Platform.Forge[forge.Comments]
		if !strings.Contains(said, "request 1: 422 Unprocessable Entity: the conversation is locked") || !strings.Contains(said, "request 4: its pack does not end") {
			return fmt.Errorf("said: %s", said)
		}
		return nil
	})
	moved.Store(false)
	s.forge.fails(nil)
	s.Look("interval")
	s.until(func() error { return errors.Join(one(1), one(2), one(4)) })
	s.until(func() error { return notEmpty(s.board.Status().Platform.Forge[forge.Comments]) })
	s.board.EnvironmentReached("dev")
	require.Equal(t, status.Warning, s.board.History()[len(s.board.History())-1].Level)
}

// TestARequestThatFailsSlowsNoComments: it is tried at each look, and no look waits because of it.
func TestARequestThatFailsSlowsNoComments(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.Wait = time.Hour
	s.head("c1")
	s.Plan = func(_ context.Context, r forge.Request, _ string) (string, error) {
		if r.Number == 1 {
			return "", errors.New("its pack does not end")
		}
		return "plan", nil
	}
	s.forge.change(func() { s.forge.pulls = []pull{{number: 1, branch: "b", commit: "p1", author: "writer"}} })
	s.run()
	s.until(func() error {
		if said := s.board.Status().Platform.Forge[forge.Comments]; said == "" {
			return errors.New("no failure is told")
		}
		return nil
	})
	s.forge.change(func() {
		s.forge.pulls = append(s.forge.pulls, pull{number: 2, branch: "c", commit: "p2", author: "writer"})
	})
	s.Look("hook")
	s.comments(2, self+": <!-- transom plan p2 c1 -->\nplan")
	require.Contains(t, s.board.Status().Platform.Forge[forge.Comments], "request 1: its pack does not end")
}

// TestRequestsAreAskedForByETag, so that a forge where nothing happens counts no call.
func TestRequestsAreAskedForByETag(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		s.plans()
		s.head("c1")
		s.forge.change(func() { s.forge.pulls = []pull{{number: 1, branch: "b", commit: "p1", author: "writer"}} })
		var same atomic.Int32
		s.forge.fails(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("If-None-Match") != "" {
				same.Add(1)
			}
			return false
		})
		s.run()
		s.comments(1, s.ours("p1", "c1"))
		s.until(func() error {
			s.Look("interval")
			if same.Load() < 3 {
				return errors.New("not asked again")
			}
			return nil
		})
		require.Equal(t, 1, s.forge.called("permission")+s.forge.called("members"), "who may write is remembered")
		require.Len(t, s.forge.wrote(1), 1)
	})
}

// TestRequestsAreLeftToThePipelineWhereTheFileSaysSo.
func TestRequestsAreLeftToThePipelineWhereTheFileSaysSo(t *testing.T) {
	s := newStory(t, forge.GitHub)
	made := s.plans()
	s.Config = func() (forge.Config, error) {
		config := s.forge.config()
		config.Silent = true
		return config, nil
	}
	s.head("c1")
	s.pass("dev", "c1", nil)
	s.pass("prod", "c1", nil)
	s.forge.change(func() { s.forge.pulls = []pull{{number: 1, branch: "b", commit: "p1", author: "writer"}} })
	s.run()
	s.becomes("c1", "transom/dev success changes nothing here", "transom/prod success changes nothing here")
	s.Look("hook")
	s.until(func() error {
		if _, told := s.board.Status().Platform.Forge[forge.Comments]; !told {
			return errors.New("no round was made")
		}
		return nil
	})
	require.Zero(t, made.Load())
	require.Zero(t, s.forge.called("pulls"))
}
