package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A repository is one that git itself writes, a minute a commit.
type repository struct {
	t   testing.TB
	dir string
	now time.Time
}

func newRepository(t testing.TB, begin time.Time) *repository {
	r := &repository{t, t.TempDir(), begin}
	r.git("Writer", "init", "--quiet", "--initial-branch=main")
	return r
}

func (r *repository) git(author string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	at := r.now.Format(time.RFC3339)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at,
		"GIT_AUTHOR_NAME="+author, "GIT_AUTHOR_EMAIL=x@acme.example", "GIT_COMMITTER_NAME="+author, "GIT_COMMITTER_EMAIL=x@acme.example")
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "git %s: %s", args, out)
	return strings.TrimSpace(string(out))
}

// commit writes files, of which an empty one is removed, and returns the commit.
func (r *repository) commit(author, message string, files map[string]string) string {
	r.t.Helper()
	r.now = r.now.Add(time.Minute)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(r.dir, name)
		if files[name] == "" {
			require.NoError(r.t, os.Remove(file))
			continue
		}
		require.NoError(r.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(r.t, os.WriteFile(file, []byte(files[name]), 0o600))
	}
	r.git(author, "add", "--all")
	r.git(author, "commit", "--quiet", "--allow-empty", "--message", message)
	return r.git(author, "rev-parse", "HEAD")
}

func (r *repository) remote() *gitrepo.Remote {
	remote := &gitrepo.Remote{URL: r.dir, Branch: "main", Dir: filepath.Join(r.t.TempDir(), "mirror")}
	_, err := remote.Fetch(r.t.Context())
	require.NoError(r.t, err)
	return remote
}

func record(version string) string {
	return string((&state.Release{
		Key: platform.RequestKey{Team: "payments", Name: "shop"}, Digest: platform.Digest(version), Offering: "web", Version: version, VersionDigest: platform.Digest("v" + version),
		Commit: strings.Repeat("1", 40), File: "requests/payments/shop.yaml",
	}).Encode())
}

// told is activity as a person would read it.
func told(all []api.Activity) (lines []string) {
	for _, one := range all {
		line := one.Environment + "|" + one.Author
		if one.MergedBy != "" {
			line += " by " + one.MergedBy
		}
		if one.Committer != "" {
			line += " committed by " + one.Committer
		}
		line += "|" + one.Subject
		for _, t := range one.Touched {
			line += "|" + t.Kind + " " + t.Name + " " + strings.Join(t.Changes, "; ")
		}
		lines = append(lines, line)
	}
	return lines
}

// TestTheJournalTellsWhoChangedWhat: commits of the platform and of a state in one order, a merge once with its author, releases in
// words; filters narrow that, and pages of any size are the same list.
func TestTheJournalTellsWhoChangedWhat(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p, dev := newRepository(t, begin), newRepository(t, begin.Add(90*time.Second))
	p.commit("Writer", "begin", map[string]string{"requests/payments/shop.yaml": "a", "requests/search/find.yaml": "a", "README.md": "x"})
	dev.commit("transom", "dev: payments/shop\n\nTransom-Platform-Commit: 1\nCo-authored-by: Writer <writer@acme.example>", map[string]string{"releases/payments/shop.yaml": record("1.0.0")})
	p.git("Writer", "checkout", "--quiet", "-b", "work")
	p.commit("Colleague", "offerings: web 1.1.0", map[string]string{"offerings/web/1.1.0/version.yaml": "a", "offerings/web/1.1.0/base.yaml": "b"})
	p.git("Writer", "checkout", "--quiet", "main")
	p.now = p.now.Add(time.Minute)
	p.git("Merger", "merge", "--quiet", "--no-ff", "--message", "Merge branch work", "work")
	p.now = begin // the clock of this machine is wrong
	p.commit("Writer", "shop: newer", map[string]string{"requests/payments/shop.yaml": "b", "requests/payments/shop.dev.secret.yaml": "s", "decisions/dev/hold.yaml": "d"})
	deployed := dev.commit("transom", "dev: payments/shop 1.1.0", map[string]string{"releases/payments/shop.yaml": record("1.1.0"), "clusters/one/payments/shop.yaml": "m"})
	dev.commit("transom", "dev: forget", map[string]string{"releases/payments/shop.yaml": ""})

	platformRemote, devRemote := p.remote(), dev.remote()
	j := &audit.Journal{Branches: func() []audit.Recorded {
		return []audit.Recorded{{Commits: platformRemote}, {Environment: "dev", Commits: devRemote}}
	}}
	list := func(q api.ActivityQuery) (lines []string) {
		if q.Limit == 0 {
			q.Limit = 100
		}
		for {
			page, err := j.List(t.Context(), q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), q.Limit)
			lines = append(lines, told(page.Items)...)
			if q.After = page.Next; q.After == "" {
				return lines
			}
		}
	}
	all := []string{
		"dev|transom|dev: forget|release payments/shop forgotten: nothing runs it any more",
		"dev|transom|dev: payments/shop 1.1.0|release payments/shop took web 1.1.0",
		"|Writer|shop: newer|decision dev/hold added|request payments/shop added|request payments/shop changed",
		"|Colleague by Merger|Merge branch work|offering web 1.1.0 added",
		"dev|Writer committed by transom|dev: payments/shop|release payments/shop took web 1.0.0",
		"|Writer|begin|other README.md added|request payments/shop added|request search/find added",
	}
	got := list(api.ActivityQuery{})
	for i := range got {
		got[i] = withoutDigests(got[i])
	}
	require.Equal(t, all, got)
	for _, size := range []int{1, 2, 5} {
		require.Len(t, list(api.ActivityQuery{Limit: size}), len(all), "in pages of %d", size)
	}
	for _, one := range []struct {
		api.ActivityQuery
		subjects []string
	}{
		{api.ActivityQuery{Team: "payments"}, []string{"dev: forget", "dev: payments/shop 1.1.0", "shop: newer", "dev: payments/shop", "begin"}},
		{api.ActivityQuery{Team: "search"}, []string{"begin"}},
		{api.ActivityQuery{Team: "search", Request: "shop"}, nil},
		{api.ActivityQuery{Team: "payments", Request: "shop", Kind: "request"}, []string{"shop: newer", "begin"}},
		{api.ActivityQuery{Kind: "offering"}, []string{"Merge branch work"}},
		{api.ActivityQuery{Environment: "dev", Kind: "decision"}, []string{"shop: newer"}},
		{api.ActivityQuery{Environment: "dev"}, []string{"dev: forget", "dev: payments/shop 1.1.0", "shop: newer", "dev: payments/shop"}},
		{api.ActivityQuery{Environment: "prod"}, nil},
		{api.ActivityQuery{Repository: "platform"}, []string{"shop: newer", "Merge branch work", "begin"}},
		{api.ActivityQuery{Repository: "states", Team: "payments"}, []string{"dev: forget", "dev: payments/shop 1.1.0", "dev: payments/shop"}},
		{api.ActivityQuery{Kind: "release"}, []string{"dev: forget", "dev: payments/shop 1.1.0", "dev: payments/shop"}},
	} {
		var subjects []string
		for _, line := range list(one.ActivityQuery) {
			subjects = append(subjects, strings.Split(line, "|")[2])
		}
		require.Equal(t, one.subjects, subjects, "%+v", one.ActivityQuery)
	}

	found, err := j.Find(t.Context(), deployed)
	require.NoError(t, err)
	require.Equal(t, "dev", found.Environment)
	_, err = j.Find(t.Context(), strings.Repeat("3", 40))
	require.ErrorIs(t, err, web.ErrNotFound)
	_, err = j.List(t.Context(), api.ActivityQuery{Limit: 1, After: "yesterday"})
	require.EqualError(t, err, `after: "yesterday" is the field next of no page of this list: ask without after= for the first page`)

	p.git("Writer", "reset", "--quiet", "--hard", "HEAD^")
	p.commit("Writer", "another way", map[string]string{"requests/payments/shop.yaml": "c"})
	_, err = platformRemote.Fetch(t.Context())
	require.NoError(t, err)
	require.Contains(t, list(api.ActivityQuery{}), "|Writer|another way|request payments/shop changed")
	require.NotContains(t, fmt.Sprint(list(api.ActivityQuery{})), "shop: newer", "the branch was rewound")
}

// withoutDigests drops the digests of releases.
func withoutDigests(line string) string {
	head, _, found := strings.Cut(line, " (")
	if !found {
		return line
	}
	return head
}

// endless is a branch of very many commits, none of which touches anything, that counts how many are read.
type endless struct{ shown, compared int }

func id(n int) string { return fmt.Sprintf("%040x", n) }

func (*endless) Head() string    { return id(100_000) }
func (*endless) Has(string) bool { return true }

func (*endless) At(context.Context, string) (*gitrepo.Snapshot, error) {
	return &gitrepo.Snapshot{}, nil
}

func (e *endless) Show(_ context.Context, commit string) (gitrepo.CommitInfo, error) {
	e.shown++
	var n int
	_, err := fmt.Sscanf(commit, "%x", &n)
	return gitrepo.CommitInfo{Commit: commit, Parents: []string{id(n - 1)}, When: time.Unix(int64(n), 0)}, err
}

func (e *endless) Touched(context.Context, string, string, int) ([]gitrepo.TouchedFile, bool, error) {
	e.compared++
	return nil, false, nil
}

// TestAQuestionToTheJournalIsBounded: one about which no commit is looks at a thousand, says how far it came, and the next question goes on
// there; what was looked at is remembered.
func TestAQuestionToTheJournalIsBounded(t *testing.T) {
	branch := &endless{}
	j := &audit.Journal{Branches: func() []audit.Recorded { return []audit.Recorded{{Commits: branch}} }}
	q := api.ActivityQuery{Team: "payments", Limit: 10}
	page, err := j.List(t.Context(), q)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.Equal(t, time.Unix(99_001, 0), page.Back)
	require.Equal(t, 1000, branch.compared)
	require.LessOrEqual(t, branch.shown, 3100)

	before := *branch
	_, err = j.List(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, before, *branch, "all is remembered")

	q.After = page.Next
	page, err = j.List(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, time.Unix(98_001, 0), page.Back)

	all, err := j.List(t.Context(), api.ActivityQuery{Limit: 3})
	require.NoError(t, err)
	require.Len(t, all.Items, 3)

	before = *branch
	for _, none := range []api.ActivityQuery{{Team: "../offerings"}, {Team: "payments", Request: "../../x"}, {Team: strings.Repeat("a", 1000)}} {
		page, err = j.List(t.Context(), none)
		require.NoError(t, err)
		require.Empty(t, page)
	}
	require.Equal(t, before, *branch, "nothing has such a name")
	_, err = j.List(t.Context(), api.ActivityQuery{After: "payments/shop"})
	require.ErrorIs(t, err, web.ErrNoPosition)
}

// TestAQuestionToTheJournalMayNotTakeLong, and one whose turn does not come ends with whoever asks.
func TestAQuestionToTheJournalMayNotTakeLong(t *testing.T) {
	j := &audit.Journal{Branches: func() []audit.Recorded { return []audit.Recorded{{Commits: &endless{}}} }, Longest: time.Nanosecond}
	_, err := j.List(t.Context(), api.ActivityQuery{Limit: 1})
	require.ErrorIs(t, err, web.ErrNotYet)
	_, err = j.Find(t.Context(), id(1))
	require.ErrorIs(t, err, web.ErrNotYet)

	begun, goOn := make(chan struct{}), make(chan struct{})
	j = &audit.Journal{Branches: func() []audit.Recorded {
		close(begun)
		<-goOn
		return nil
	}}
	answered := make(chan error)
	go func() {
		_, err := j.List(context.Background(), api.ActivityQuery{Limit: 1})
		answered <- err
	}()
	<-begun
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err = j.List(gone, api.ActivityQuery{Limit: 1})
	require.ErrorIs(t, err, context.Canceled)
	close(goOn)
	require.NoError(t, <-answered)
}

// TestTheJournalTellsOddCommits: names that a terminal would obey are told cleaned, and a time that no clock shows is one that JSON has.
func TestTheJournalTellsOddCommits(t *testing.T) {
	r := newRepository(t, time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	r.commit("Ada", "one", map[string]string{"requests/payments/a\x1b[2J.yaml": "x"})
	text := "tree " + r.git("Ada", "rev-parse", "HEAD^{tree}") + "\nparent " + r.git("Ada", "rev-parse", "HEAD") +
		"\nauthor Eve <x@acme.example> 99999999999999 +0000\ncommitter Eve <x@acme.example> 99999999999999 +0000\n\nodd\n"
	file := filepath.Join(t.TempDir(), "commit")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	r.git("Ada", "update-ref", "refs/heads/main", r.git("Ada", "hash-object", "-t", "commit", "-w", file))
	remote := r.remote()
	j := &audit.Journal{Branches: func() []audit.Recorded { return []audit.Recorded{{Commits: remote}} }}
	page, err := j.List(t.Context(), api.ActivityQuery{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []string{"|Eve|odd"}, told(page.Items))
	_, err = json.Marshal(page)
	require.NoError(t, err)
	page, err = j.List(t.Context(), api.ActivityQuery{Limit: 1, After: page.Next})
	require.NoError(t, err)
	require.Equal(t, []string{"|Ada|one|request payments/a\uFFFD[2J added"}, told(page.Items))
}
