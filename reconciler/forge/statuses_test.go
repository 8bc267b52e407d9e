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
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// deadline bounds every wait.
const deadline = 30 * time.Second

var (
	kinds = []forge.Kind{forge.GitHub, forge.GitLab}
	shop  = platform.RequestKey{Team: "payments", Name: "shop"}
)

// A story is a Board with the environments dev and prod, and a Teller that tells a stand-in of it.
type story struct {
	t     *testing.T
	board *status.Board
	forge *standIn
	*forge.Teller
}

func newStory(t *testing.T, kind forge.Kind) *story {
	s := &story{t: t, board: status.NewBoard(time.Now), forge: newStandIn(t, kind)}
	s.Teller = &forge.Teller{
		Config: func() (forge.Config, error) { return s.forge.config(), nil }, Board: s.board, Branch: "main", Console: "https://transom.example",
		Changed:  func(context.Context, string, string) (string, error) { return "", nil },
		Interval: time.Hour, Delay: 10 * time.Millisecond, Wait: 20 * time.Millisecond, Patience: 20 * time.Millisecond,
	}
	return s
}

// run runs the Teller until stop is called, at the latest at the end of the test.
func (s *story) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	ended := false
	stop = func() {
		if !ended {
			cancel()
			require.NoError(s.t, <-done)
		}
		ended = true
	}
	s.t.Cleanup(stop)
	return stop
}

// head has the platform's head loaded.
func (s *story) head(commit string, problems ...platform.Problem) {
	s.board.Loaded("url", &platform.Platform{Commit: commit, Problems: problems, Environments: map[string]*platform.Environment{"dev": {}, "prod": {}}})
}

// pass has a pass made over an environment at the head.
func (s *story) pass(environment, head string, change func(*status.Instance)) {
	in := status.Instance{
		Environment: environment, Request: shop, Commit: "c0", Release: "r0", MergedAt: time.Now().Add(-time.Hour),
		Placements: []status.Placement{{Cluster: environment + "-1", Stage: status.Committed, Health: state.Unknown, Revision: "rev-" + head}},
	}
	var all []status.Instance
	if change != nil {
		change(&in)
		all = append(all, in)
	}
	s.board.Reconciled(status.Environment{Name: environment, Commit: head, StateCommit: "s-" + head, Clusters: []status.Cluster{{Name: environment + "-1"}}}, all)
}

// healthy has the instance become healthy in an environment.
func (s *story) healthy(environment, head string) {
	s.board.Placed(environment, shop, status.Placement{
		Cluster: environment + "-1", Stage: status.Healthy, Health: state.Healthy, Revision: "rev-" + head, StateCommit: "s-" + head,
	})
}

// runs is a change by which an instance runs the release of a commit.
func runs(commit string) func(*status.Instance) {
	return func(in *status.Instance) { in.Commit, in.Release, in.MergedAt = commit, "r-"+commit, time.Now() }
}

// waits is a change by which the release of a commit waits for gates.
func waits(commit string, gates ...gate.Name) func(*status.Instance) {
	return func(in *status.Instance) {
		in.Candidate = &status.Candidate{Release: "r-" + commit, Commit: commit, MergedAt: time.Now()}
		for _, name := range gates {
			in.Waiting = append(in.Waiting, status.Gate{Name: name, Reason: "reason of " + string(name), Opens: "somebody"})
		}
	}
}

// becomes waits until the statuses of a commit, all that were ever set, are these.
func (s *story) becomes(commit string, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	s.until(func() error {
		got := s.forge.told(commit)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s has %q, want %q", commit, got, want)
		}
		return nil
	})
}

// until waits until check returns nil.
func (s *story) until(check func() error) {
	s.t.Helper()
	var err error
	require.Eventually(s.t, func() bool { err = check(); return err == nil }, deadline, 5*time.Millisecond, "%v", &late{&err})
}

// late is an error that is read when it is printed.
type late struct{ err *error }

func (l *late) String() string { return fmt.Sprint(*l.err) }

// each runs a test on every kind of forge.
func each(t *testing.T, test func(t *testing.T, s *story)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, newStory(t, kind)) })
	}
}

// failure is the word of the forge for a failure.
func (s *story) failure() string {
	if s.forge.kind == forge.GitLab {
		return "failed"
	}
	return "failure"
}

// TestStatusesFollowACommit through its environments, on both forges in the same words.
func TestStatusesFollowACommit(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		s.head("c1")
		s.pass("dev", "c1", runs("c1"))
		s.pass("prod", "c1", waits("c1", gate.Soak, gate.Approval))
		s.run()
		dev := "transom/dev pending on its way: payments/shop: dev-1: Committed"
		prod := "transom/prod pending waits for approval, soak: payments/shop: reason of soak; opens: somebody"
		s.becomes("c1", dev+", Unknown", prod)

		s.healthy("dev", "c1")
		well := "transom/dev success healthy: 1 of 1 placements"
		s.becomes("c1", dev+", Unknown", prod, well)
		require.Equal(t, "https://transom.example", s.forge.statuses["c1"][0].URL)

		s.pass("prod", "c1", waits("c1", gate.Rejected))
		s.becomes("c1", dev+", Unknown", prod, well, "transom/prod "+s.failure()+" failed: payments/shop: rejected: reason of rejected")
	})
}

// TestACommitThatChangesNothingSaysSo, once the environment took it in.
func TestACommitThatChangesNothingSaysSo(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.head("c1")
	s.pass("dev", "c1", nil)
	s.run()
	s.becomes("c1", "transom/dev success changes nothing here", "transom/prod pending not looked at yet")
	s.board.EnvironmentFailed("prod", errors.New("fetch: no answer"))
	s.pass("prod", "c1", nil)
	s.becomes("c1", "transom/dev success changes nothing here", "transom/prod pending not looked at yet", "transom/prod success changes nothing here")
}

// TestAPendingStatusSaysWhichGateWaitsNow, also on GitLab, which changes no detail of a status that is pending.
func TestAPendingStatusSaysWhichGateWaitsNow(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		s.head("c1")
		s.pass("dev", "c1", nil)
		s.run()
		all := []string{"transom/dev success changes nothing here", "transom/prod pending not looked at yet"}
		s.becomes("c1", slices.Clone(all)...)
		for _, name := range []gate.Name{gate.Soak, gate.Approval} {
			s.pass("prod", "c1", waits("c1", name))
			all = append(all, fmt.Sprintf("transom/prod pending waits for %s: payments/shop: reason of %[1]s; opens: somebody", name))
			s.becomes("c1", slices.Clone(all)...)
		}
		s.forge.change(func() {
			require.Len(t, s.forge.latest("c1"), 2, "one for each environment")
			require.Equal(t, "pending", s.forge.latest("c1")[0].State)
		})
	})
}

// TestAProblemIsToldOfTheCommitThatMadeIt, and not of the commits that come after.
func TestAProblemIsToldOfTheCommitThatMadeIt(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.Changed = func(context.Context, string, string) (string, error) { return "c1", nil }
	s.head("c2", platform.Problem{File: "requests/payments/shop.yaml", Line: 6, Message: "no environment \"pord\""})
	s.pass("dev", "c2", nil)
	s.pass("prod", "c2", nil)
	s.run()
	s.becomes("c2", "transom/dev success changes nothing here", "transom/prod success changes nothing here")
	s.becomes("c1", `transom/dev failure failed: requests/payments/shop.yaml:6: no environment "pord"`,
		`transom/prod failure failed: requests/payments/shop.yaml:6: no environment "pord"`)
}

// TestACommitThatAForgeDoesNotHaveSlowsNoOther: a mirror that is behind, or a commit that was never pushed there.
func TestACommitThatAForgeDoesNotHaveSlowsNoOther(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		s.Wait = time.Hour
		s.forge.fails(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/c1") {
				return false
			}
			w.WriteHeader(http.StatusNotFound)
			return true
		})
		s.head("c2")
		s.pass("dev", "c2", runs("c1"))
		s.pass("prod", "c2", runs("c2"))
		s.run()
		s.until(func() error {
			if s.board.Status().Platform.Forge[forge.Statuses] == "" {
				return errors.New("the absence is not told")
			}
			return nil
		})
		asked := s.forge.called("/c1")
		s.healthy("prod", "c2")
		s.until(func() error {
			if told := s.forge.told("c2"); len(told) == 0 || !strings.Contains(told[len(told)-1], " success ") {
				return fmt.Errorf("c2 has %q", told)
			}
			return nil
		})
		require.Equal(t, asked, s.forge.called("/c1"), "nor is it asked for at each change")
	})
}

// TestNothingIsToldTwice: not for a detail that changes, not after a restart, and success is the last word.
func TestNothingIsToldTwice(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		s.head("c1")
		s.pass("dev", "c1", runs("c1"))
		s.pass("prod", "c1", waits("c1", gate.Soak))
		stop := s.run()
		s.healthy("dev", "c1")
		want := func() error {
			if n := len(s.forge.told("c1")); n < 2 || !strings.Contains(fmt.Sprint(s.forge.told("c1")), "success") {
				return fmt.Errorf("%q", s.forge.told("c1"))
			}
			return nil
		}
		s.until(want)
		before := s.forge.told("c1")

		s.pass("prod", "c1", func(in *status.Instance) {
			waits("c1", gate.Soak)(in)
			in.Waiting[0].Reason = "soaks for 10m, 3m of it"
		})
		s.board.Placed("dev", shop, status.Placement{Cluster: "dev-1", Stage: status.Applied, Health: state.Failed, Message: "crashes", Revision: "rev-c1"})
		stop()
		next := newStory(t, s.forge.kind)
		next.forge, next.board = s.forge, s.board
		next.Teller.Board = s.board
		next.run()
		s.pass("prod", "c1", waits("c1", gate.Approval)) // something new is told, and nothing else
		s.until(func() error {
			if s.forge.called("POST") <= len(before) {
				return errors.New("not asked")
			}
			return nil
		})
		told := s.forge.told("c1")
		require.Equal(t, before, told[:len(before)])
		require.LessOrEqual(t, len(told), len(before)+1)
		require.NotContains(t, fmt.Sprint(told), "crashes", "it was healthy, and what happens later is about the placement")
	})
}

// TestAnOvertakenCommitDoesNotWaitForEver, also where it was overtaken while no daemon ran.
func TestAnOvertakenCommitDoesNotWaitForEver(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.head("c1")
	s.pass("dev", "c1", nil)
	s.pass("prod", "c1", waits("c1", gate.Soak))
	stop := s.run()
	first := []string{"transom/dev success changes nothing here", "transom/prod pending waits for soak: payments/shop: reason of soak; opens: somebody"}
	s.becomes("c1", first...)
	stop()

	s.head("c2")
	s.pass("dev", "c2", nil)
	s.pass("prod", "c2", waits("c2", gate.Soak))
	next := newStory(t, forge.GitHub)
	next.forge, next.Board = s.forge, s.board
	next.Recent = func(context.Context, int) ([]string, error) { return []string{"c2", "c1"}, nil }
	next.run()
	s.becomes("c1", append(first, "transom/prod success nothing of it is on its way here any more: later commits took its place")...)
	s.becomes("c2", first...)
}

// TestFaultsOfAForge: each is said once, tried again, and at the end everything is told, once.
func TestFaultsOfAForge(t *testing.T) {
	elsewhere := newStandIn(t, forge.GitHub)
	for name, c := range map[string]struct {
		fault func(w http.ResponseWriter, r *http.Request)
		said  string
	}{
		"it is away": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502 Bad Gateway"},
		"half a body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = fmt.Fprint(w, `{"state": "pen`)
		}, "the answer did not come whole: unexpected EOF"},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "invalid character '<'"},
		"the token was revoked": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"message": "Bad credentials %s"}`, r.Header.Get("Authorization"))
		}, "the token is refused: it expired or was revoked; write a new one into the file of --forge, which is read again (401 Unauthorized): Bad credentials Bearer ***"},
		"a right is missing": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"message": "Resource not accessible by personal access token"}`)
		}, "the token may not do this"},
		"a redirect to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}, "which gets no token"},
		"too many calls": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "429 Too Many Requests"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, forge.GitHub)
			var events []string
			var failing atomic.Bool
			s.board.OnEvent = func(e status.Event) {
				if strings.HasPrefix(e.Message, "the forge") {
					events = append(events, string(e.Level)+" "+e.Message)
				}
			}
			failing.Store(true)
			var times atomic.Int32
			s.forge.fails(func(w http.ResponseWriter, r *http.Request) bool {
				if failing.Load() {
					times.Add(1)
					c.fault(w, r)
				}
				return failing.Load()
			})
			s.head("c1")
			s.pass("dev", "c1", nil)
			s.pass("prod", "c1", nil)
			stop := s.run()
			s.until(func() error {
				if times.Load() < 3 {
					return errors.New("not tried three times")
				}
				return nil
			})
			require.Contains(t, s.board.Status().Platform.Forge[forge.Statuses], c.said)
			failing.Store(false)
			s.becomes("c1", "transom/dev success changes nothing here", "transom/prod success changes nothing here")
			s.until(func() error { return notEmpty(s.board.Status().Platform.Forge[forge.Statuses]) })
			stop()
			require.Len(t, events, 2)
			require.Contains(t, events[0], "warning the forge is not told (commit statuses): ")
			require.Equal(t, "warning the forge is told again (commit statuses)", events[1])
			require.Empty(t, elsewhere.calls, "the token went elsewhere")
		})
	}
}

// TestAnAnswerWithoutContentEndsNothing but its round, whichever library reads it.
func TestAnAnswerWithoutContentEndsNothing(t *testing.T) {
	for _, body := range []string{"", "null", " \n", "[null]", `{"statuses": [null]}`, `{"statuses": null}`} {
		t.Run(body, func(t *testing.T) {
			each(t, func(_ *testing.T, s *story) {
				s.plans()
				s.head("c1")
				s.pass("dev", "c1", nil)
				s.pass("prod", "c1", nil)
				s.forge.change(func() { s.forge.pulls = []pull{{number: 1, branch: "b", commit: "p1", author: "writer"}} })
				var times atomic.Int32
				s.forge.fails(func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method != http.MethodGet || times.Add(1) > 4 {
						return false
					}
					_, _ = fmt.Fprint(w, body)
					return true
				})
				s.run()
				s.until(func() error { // pull requests are looked for where somebody says so
					s.Look("interval")
					if len(s.forge.wrote(1)) == 0 || len(s.forge.told("c1")) == 0 {
						return errors.New("nothing is told")
					}
					return nil
				})
			})
		})
	}
}

func notEmpty(text string) error {
	if text != "" {
		return errors.New(text)
	}
	return nil
}

// TestAForgeThatHangsHoldsNobody: the Board takes news as before, and the end comes at once.
func TestAForgeThatHangsHoldsNobody(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.plans()
	hanging, let := make(chan bool, 10), make(chan bool)
	s.forge.fails(func(http.ResponseWriter, *http.Request) bool {
		hanging <- true
		<-let
		return true
	})
	t.Cleanup(func() { close(let) })
	s.head("c1")
	s.pass("dev", "c1", runs("c1"))
	stop := s.run()
	<-hanging
	<-hanging // statuses and requests
	s.pass("prod", "c1", runs("c1"))
	s.healthy("dev", "c1")
	require.True(t, s.board.Status().Instances[0].Placements[0].IsHealthy())
	began := time.Now()
	stop()
	require.Less(t, time.Since(began), deadline/2)
}

// TestTheFileIsReadAgain while the forge refuses the token, or the file cannot be read: nobody waits then for the next round.
func TestTheFileIsReadAgain(t *testing.T) {
	s := newStory(t, forge.GitHub)
	s.Wait, s.Reread = time.Hour, 10*time.Millisecond
	var config atomic.Pointer[forge.Config]
	s.Config = func() (forge.Config, error) {
		if c := config.Load(); c != nil {
			return *c, nil
		}
		return forge.Config{}, errors.New("--forge: there is no such file")
	}
	s.head("c1")
	s.pass("dev", "c1", nil)
	s.pass("prod", "c1", nil)
	s.run()
	says := func(text string) {
		t.Helper()
		s.until(func() error {
			if why := s.board.Status().Platform.Forge[forge.Statuses]; !strings.Contains(why, text) {
				return errors.New(why)
			}
			return nil
		})
	}
	says("there is no such file")
	revoked := s.forge.config()
	revoked.Token = "revoked"
	config.Store(&revoked)
	says("the token is refused")
	config.Store(nil)
	says("there is no such file")
	mended := s.forge.config()
	config.Store(&mended)
	s.becomes("c1", "transom/dev success changes nothing here", "transom/prod success changes nothing here")
}

// TestAnotherRepositoryIsToldAll that the one before had been told: the operator's file named the wrong one, perhaps.
func TestAnotherRepositoryIsToldAll(t *testing.T) {
	each(t, func(t *testing.T, s *story) {
		s.Reread = 10 * time.Millisecond
		var config atomic.Pointer[forge.Config]
		s.Config = func() (forge.Config, error) { return *config.Load(), nil }
		s.plans()
		s.head("c1")
		s.pass("dev", "c1", nil)
		s.pass("prod", "c1", nil)
		wrong, right := s.forge, newStandIn(t, s.forge.kind)
		for _, one := range []*standIn{wrong, right} {
			one.pulls = []pull{{number: 1, branch: "b", commit: "p1", author: "writer"}}
		}
		named := wrong.config()
		config.Store(&named)
		s.run()
		for _, one := range []*standIn{wrong, right} {
			named := one.config()
			config.Store(&named)
			s.forge = one
			s.until(func() error { // within its time
				s.Look("interval")
				s.board.EnvironmentReached("dev")
				s.pass("dev", "c1", nil)
				if len(one.told("c1")) < 2 || len(one.wrote(1)) < 1 {
					return fmt.Errorf("told %q, wrote %q", one.told("c1"), one.wrote(1))
				}
				return nil
			})
			s.becomes("c1", "transom/dev success changes nothing here", "transom/prod success changes nothing here")
			s.comments(1, s.ours("p1", "c1"))
		}
	})
}

// TestAForgeThatAsksForAPauseGetsIt, for as long as it asks, by either kind of header.
func TestAForgeThatAsksForAPauseGetsIt(t *testing.T) {
	for name, headers := range map[string]func(http.Header, time.Time){
		"Retry-After": func(h http.Header, _ time.Time) { h.Set("Retry-After", "2") },
		"Retry-After, date": func(h http.Header, until time.Time) {
			h.Set("Retry-After", until.Add(time.Second).UTC().Format(http.TimeFormat))
		},
		"GitHub": func(h http.Header, until time.Time) {
			h.Set("X-RateLimit-Remaining", "0")
			h.Set("X-RateLimit-Reset", fmt.Sprint(until.Unix()))
		},
		"GitLab": func(h http.Header, until time.Time) {
			h.Set("RateLimit-Remaining", "0")
			h.Set("RateLimit-Reset", fmt.Sprint(until.Unix()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, forge.GitHub)
			var first atomic.Pointer[time.Time]
			var early atomic.Int32
			s.forge.fails(func(w http.ResponseWriter, _ *http.Request) bool {
				now := time.Now()
				if first.CompareAndSwap(nil, &now) {
					headers(w.Header(), now.Add(2*time.Second))
					w.WriteHeader(http.StatusForbidden)
					return true
				}
				if now.Sub(*first.Load()) < 1500*time.Millisecond {
					early.Add(1)
				}
				return false
			})
			s.head("c1")
			s.pass("dev", "c1", nil)
			s.pass("prod", "c1", nil)
			s.run()
			s.becomes("c1", "transom/dev success changes nothing here", "transom/prod success changes nothing here")
			require.Zero(t, early.Load())
		})
	}
}
