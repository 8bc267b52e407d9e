package forge

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
)

const (
	// mostCommits bounds of how many commits something is told: the head, and the latest others.
	mostCommits = 20
	// oldestCommit is how old a commit may be of which something is told for the first time.
	oldestCommit = 30 * 24 * time.Hour
	// mostTold bounds how often one status changes, short of success. GitHub takes a thousand of a commit's context.
	mostTold = 30
	// failureLasts is how long a failure lasts before it is told.
	failureLasts = 15 * time.Second
	// absentAgain is when the forge is asked again for a commit that it did not have.
	absentAgain = 30 * time.Second
	// mostBlamed bounds the Problems whose commits are looked for.
	mostBlamed = 20
)

// A told is the latest status of a commit in an environment that the forge has.
type told struct {
	key     string
	times   int
	final   bool
	failing time.Time // since when it is a failure; zero: it is none
}

// A statusTeller brings the statuses of commits on a forge to those that the Board says. Only the latest state counts: those
// that ended meanwhile are never told.
type statusTeller struct {
	*Teller
	again  *trigger.Latch              // fires for the next round
	host   statusHost                  // of which the following is known
	known  map[string]map[string]*told // by commit and environment; a commit that is in it was asked for
	absent map[string]*absence         // by commit that the forge did not have when it was asked last
	recent bool                        // the commits of before this process were asked for
	files  map[string]string           // the commit that changed a file last, as of head
	head   string
}

// An absence is the error of a forge that does not have a commit, though it has others: a mirror may get it later. It delays the
// statuses of no other commit.
type absence struct {
	error
	until time.Time // when the forge is asked again
}

// Unwrap is for package errors.
func (a *absence) Unwrap() error { return a.error }

// tell makes one round.
func (t *statusTeller) tell(ctx context.Context, host statusHost) error {
	s := t.Board.Status()
	if s.Platform.Commit == "" {
		return nil
	}
	if t.host != host { // another repository, perhaps
		t.host, t.known, t.absent, t.recent = host, map[string]map[string]*told{}, map[string]*absence{}, false
	}
	if err := t.askRecent(ctx, host); err != nil {
		return plainly(err)
	}
	blamed := t.blame(ctx, s)
	all := verdicts(s, func(environment string) map[string][]string { return blamed[environment] })
	commits := t.choose(s, all)
	var failed error
	forAll := false
	for _, commit := range commits {
		if err := t.tellCommit(ctx, host, s, commit, all); err != nil {
			failed = errors.Join(failed, plainly(err))
			forAll = forAll || !errors.As(err, new(*absence))
			if !isRefusal(err, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusBadRequest) {
				break // it is not about this commit
			}
		}
	}
	maps.DeleteFunc(t.known, func(commit string, _ map[string]*told) bool { return !slices.Contains(commits, commit) })
	maps.DeleteFunc(t.absent, func(commit string, _ *absence) bool { return !slices.Contains(commits, commit) })
	if failed != nil && !forAll && len(t.known) > 0 { // a forge that has no commit at all is another repository
		return aside{failed}
	}
	return failed
}

// choose lists the commits of which something is told, the head first and then the latest.
func (t *statusTeller) choose(s status.Status, all []verdict) []string {
	merged := map[string]time.Time{}
	for _, v := range all {
		if v.merged.After(merged[v.commit]) {
			merged[v.commit] = v.merged
		}
	}
	for commit := range t.known {
		if _, there := merged[commit]; !there && t.waits(commit) {
			merged[commit] = time.Now() // its statuses have to be ended
		}
	}
	commits := slices.SortedFunc(maps.Keys(merged), func(a, b string) int {
		return cmp.Or(merged[b].Compare(merged[a]), strings.Compare(a, b))
	})
	oldest := time.Now().Add(-oldestCommit)
	commits = slices.DeleteFunc(commits, func(commit string) bool {
		return commit == s.Platform.Commit || t.known[commit] == nil && merged[commit].Before(oldest)
	})
	return append([]string{s.Platform.Commit}, commits[:min(len(commits), mostCommits-1)]...)
}

// waits says whether a status of a commit is pending on the forge.
func (t *statusTeller) waits(commit string) bool {
	for _, status := range t.known[commit] {
		if strings.HasPrefix(status.key, string(Pending)) {
			return true
		}
	}
	return false
}

// tellCommit brings the statuses of one commit up to date.
func (t *statusTeller) tellCommit(ctx context.Context, host statusHost, s status.Status, commit string, all []verdict) error {
	if err := t.ask(ctx, host, commit); err != nil {
		return err
	}
	said := map[string]bool{}
	for _, v := range all {
		if v.commit != commit {
			continue
		}
		said[v.Environment] = true
		if err := t.tellVerdict(ctx, host, v); err != nil {
			return err
		}
	}
	for _, e := range s.Environments {
		known := t.known[commit][e.Name]
		pending := known != nil && strings.HasPrefix(known.key, string(Pending))
		if said[e.Name] || !pending || e.Commit != s.Platform.Commit {
			continue
		}
		over := verdict{commit: commit, final: true, Status: Status{Environment: e.Name, State: Success, Text: clip(superseded)}}
		if err := t.tellVerdict(ctx, host, over); err != nil {
			return err
		}
	}
	return nil
}

// ask has the forge say which statuses a commit has, once.
func (t *statusTeller) ask(ctx context.Context, host statusHost, commit string) error {
	if t.known[commit] != nil {
		return nil
	}
	if a := t.absent[commit]; a != nil && time.Now().Before(a.until) {
		return a
	}
	there, err := host.Statuses(ctx, commit)
	if isRefusal(err, http.StatusNotFound, http.StatusUnprocessableEntity) {
		a := &absence{err, time.Now().Add(absentAgain)}
		t.absent[commit] = a
		time.AfterFunc(absentAgain, func() { t.again.Fire("a commit was not there") })
		return a
	}
	if err != nil {
		return err
	}
	delete(t.absent, commit)
	t.known[commit] = map[string]*told{}
	for _, status := range there {
		if t.known[commit][status.Environment] == nil { // the latest comes first
			t.known[commit][status.Environment] = &told{key: status.key(), final: isFinal(status)}
		}
	}
	return nil
}

// askRecent asks, once, for the statuses of the latest commits: one may be pending of which the Board says nothing any more.
func (t *statusTeller) askRecent(ctx context.Context, host statusHost) error {
	if t.recent || t.Recent == nil {
		return nil
	}
	commits, err := t.Recent(ctx, mostCommits)
	if err != nil {
		return err
	}
	for _, commit := range commits {
		err := t.ask(ctx, host, commit)
		if err != nil && !isRefusal(err, http.StatusNotFound, http.StatusUnprocessableEntity) { // the forge may not have it yet
			return err
		}
	}
	t.recent = true
	return nil
}

// isFinal says whether a status that the forge has is the last one of its commit in its environment.
func isFinal(s Status) bool { return s.State == Success && s.Text != nothingHere }

// tellVerdict tells one status, unless the forge has it.
func (t *statusTeller) tellVerdict(ctx context.Context, host statusHost, v verdict) error {
	known := t.known[v.commit][v.Environment]
	if known == nil {
		known = &told{}
		t.known[v.commit][v.Environment] = known
	}
	if !t.lasts(known, v) {
		return nil
	}
	enough := known.times >= mostTold && !v.final
	if known.final || known.key == v.key() || enough {
		return nil
	}
	v.URL = t.Console
	if err := host.SetStatus(ctx, v.commit, v.Status); err != nil {
		return err
	}
	known.key, known.final = v.key(), v.final
	known.times++
	return nil
}

// lasts says whether a verdict is to be told now. A failure is told once it has lasted for a while: a pod that starts twice takes
// less.
func (t *statusTeller) lasts(known *told, v verdict) bool {
	if v.State != Failure {
		known.failing = time.Time{}
		return true
	}
	patience := cmp.Or(t.Patience, failureLasts)
	if known.failing.IsZero() {
		known.failing = time.Now()
		time.AfterFunc(patience, func() { t.again.Fire("a failure lasts") })
	}
	return time.Since(known.failing) >= patience
}

// blame finds the commits that changed the files of Problems last, and returns the Problems by environment and commit. A
// file of the platform with a Problem is a failure in every environment.
func (t *statusTeller) blame(ctx context.Context, s status.Status) map[string]map[string][]string {
	if t.head != s.Platform.Commit {
		t.head, t.files = s.Platform.Commit, map[string]string{}
	}
	blamed := map[string]map[string][]string{}
	for _, e := range s.Environments {
		blamed[e.Name] = map[string][]string{}
		if e.Commit != s.Platform.Commit {
			continue
		}
		for _, p := range slices.Concat(s.Platform.Problems, e.Problems) {
			if commit := t.lastChange(ctx, p); commit != "" && !slices.Contains(blamed[e.Name][commit], p.String()) {
				blamed[e.Name][commit] = append(blamed[e.Name][commit], p.String())
			}
		}
	}
	return blamed
}

// lastChange is the commit that changed the file of a Problem last; empty: nobody knows.
func (t *statusTeller) lastChange(ctx context.Context, p platform.Problem) string {
	if p.Warning || p.File == "" {
		return ""
	}
	commit, known := t.files[p.File]
	if !known && len(t.files) < mostBlamed {
		commit, _ = t.Changed(ctx, t.head, p.File) // a Problem without its commit is told elsewhere
		t.files[p.File] = commit
	}
	return commit
}
