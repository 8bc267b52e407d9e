package reconciler_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/state"
)

// newKey makes a key to sign with.
func newKey(t testing.TB) *gitrepo.SigningKey {
	t.Helper()
	key, _ := newSigner(t)
	return key
}

const helloFile = "clusters/dev/demo/hello.yaml"

const helloRecord = "releases/demo/hello.yaml"

func revision(content string) string { return state.Revision([]byte(content)) }

// forge puts a commit onto dev's state that says it is Transom's, with other bytes in a file, and the sum of these bytes in
// the Release file.
func (s *system) forge(edit func(content string) string) (commit string) {
	s.t.Helper()
	return s.forged(func(files map[string]string) {
		before := files[helloFile]
		files[helloFile] = edit(before)
		files[helloRecord] = strings.ReplaceAll(files[helloRecord], revision(before), revision(files[helloFile]))
	})
}

// forged puts a commit onto dev's state with the committer and the trailers of the head.
func (s *system) forged(edit func(files map[string]string)) (commit string) {
	s.t.Helper()
	work := filepath.Join(s.t.TempDir(), "state")
	s.git(s.dir, "clone", "-q", "state-dev.git", work)
	files := map[string]string{}
	for _, name := range []string{helloFile, helloRecord} {
		content, err := os.ReadFile(filepath.Join(work, name))
		require.NoError(s.t, err)
		files[name] = string(content)
		require.NoError(s.t, os.Remove(filepath.Join(work, name)))
	}
	edit(files)
	for name, content := range files {
		require.NoError(s.t, os.WriteFile(filepath.Join(work, name), []byte(content), 0o644))
	}
	s.git(work, "add", "-A")
	cmd := exec.Command("git", "commit", "-q", "-m", s.git(work, "log", "-1", "--format=%B"))
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Transom", "GIT_AUTHOR_EMAIL=transom@transom.dev",
		"GIT_COMMITTER_NAME=Transom", "GIT_COMMITTER_EMAIL=transom@transom.dev", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, string(out))
	s.git(work, "push", "-q", "origin", "HEAD:main")
	return s.git(work, "rev-parse", "HEAD")
}

func evil(content string) string {
	return strings.ReplaceAll(content, "registry.acme.example", "registry.evil.example")
}

// place is a commit's place in dev's state.
func (s *system) place(commit string) int64 {
	n, err := strconv.ParseInt(s.git(s.dir+"/state-dev.git", "rev-list", "--count", commit), 10, 64)
	require.NoError(s.t, err)
	return n
}

// headFile is a file as dev's state has it at its head.
func (s *system) headFile(name string) string {
	return s.git(s.dir+"/state-dev.git", "show", "main:"+name)
}

// begin has a daemon with this trust commit and deploy the requests of the platform.
func begin(t *testing.T, trust reconciler.Trust) (*system, fleet.Target) {
	t.Helper()
	s := newSystem(t)
	s.Trust = trust
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	s.rests("dev")
	head := s.git(s.dir+"/state-dev.git", "rev-parse", "main")
	return s, s.deployed("dev", func(t fleet.Target) bool { return t.Commit == head })
}

// TestForgedCommitIsRestoredFromGit, with a key: also when it names Transom as its author, and also by a daemon that starts
// on it.
func TestForgedCommitIsRestoredFromGit(t *testing.T) {
	trust := reconciler.Trust{Key: newKey(t)}
	s, _ := begin(t, trust)
	before, records := s.headFile(helloFile), s.git(s.dir+"/state-dev.git", "rev-parse", "main:releases")
	forged := s.forge(evil)
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Sequence > s.place(forged) })
	require.Equal(t, before, s.headFile(helloFile))
	require.Equal(t, records, s.git(s.dir+"/state-dev.git", "rev-parse", "main:releases"))

	s.end()
	forged = s.forge(evil)
	other := s.twin()
	other.Trust = trust
	other.run()
	other.Trigger.Fire("test")
	target := other.deployed("dev", func(t fleet.Target) bool { return t.Sequence > s.place(forged) })
	content, err := target.Snapshot.ReadFile(helloFile)
	require.NoError(t, err)
	require.Equal(t, before, strings.TrimSpace(string(content)))
	require.Equal(t, before, s.headFile(helloFile))
}

// end stops a daemon and waits for it.
func (s *system) end() {
	s.stop()
	err := <-s.stopped
	s.stopped <- err // for who asks again
}

// start runs another daemon with this trust on the same repositories, and returns it.
func (s *system) start(trust reconciler.Trust) *system {
	other := s.twin()
	other.Trust = trust
	other.fleet.says(other.Placed)
	other.run()
	other.Trigger.Fire("test")
	return other
}

// says waits until status tells an error of dev.
func (s *system) says() string {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		if all := s.Board.Status().Environments; len(all) == 1 && all[0].Error != "" {
			return all[0].Error
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "nothing is said")
		}
	}
}

// ask changes the image that dev is asked for.
func (s *system) ask(image string) {
	s.t.Helper()
	request := document("Request", "hello") + "spec:\n  offering: app\n  version: \"1\"\n  parameters: {image: " + image + "}\n  environments: {dev: {}}\n"
	require.NoError(s.t, os.WriteFile(filepath.Join(s.clone(), "requests/demo/hello.yaml"), []byte(request), 0o644))
	s.commit("another image")
}

// TestUnsignedHistoryIsTrustedByName: a branch of before commits were signed is refused with the flag to give, and with it goes
// on, signed from then on.
func TestUnsignedHistoryIsTrustedByName(t *testing.T) {
	s, _ := begin(t, reconciler.Trust{})
	s.end()
	head := s.git(s.dir+"/state-dev.git", "rev-parse", "main")
	key := newKey(t)

	other := s.start(reconciler.Trust{Key: key})
	require.Contains(t, other.says(), "--trust-state "+head)
	require.Empty(t, other.fleet.of("dev").Environment, "nothing is deployed")
	require.Equal(t, head, s.git(s.dir+"/state-dev.git", "rev-parse", "main"))
	other.end()

	s.ask("registry.acme.example/hello:2.0.0")
	trusting := s.start(reconciler.Trust{Key: key, From: []string{head}})
	target := trusting.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" && t.Commit != head })
	signed, err := s.remote("state-dev").Signed(t.Context(), target.Commit)
	require.NoError(t, err)
	require.True(t, signed.Valid && signed.By.Is(key.Public()))
	trusting.rests("dev")
	trusting.end()

	last := s.start(reconciler.Trust{Key: key}) // and the flag is not needed any more
	last.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
}

func TestKeysRotate(t *testing.T) {
	old, next := newKey(t), newKey(t)
	s, good := begin(t, reconciler.Trust{Key: old})
	s.end()

	refusing := s.start(reconciler.Trust{Key: next})
	require.Contains(t, refusing.says(), "signed by "+old.Public().String())
	refusing.end()

	both := s.start(reconciler.Trust{Key: next, Keys: []gitrepo.PublicKey{old.Public()}})
	both.deployed("dev", func(t fleet.Target) bool { return t.Commit == good.Commit })
	s.ask("registry.acme.example/hello:2.0.0")
	both.Trigger.Fire("test")
	both.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" && t.Commit != good.Commit })
	both.rests("dev")
	both.end()

	s.start(reconciler.Trust{Key: next}).deployed("dev", func(t fleet.Target) bool { return t.Sequence > s.place(good.Commit) })
}

// TestMergeLeadsToTheLatestSignedCommit, and not back to an older one, or to one of another environment, on its first side.
func TestMergeLeadsToTheLatestSignedCommit(t *testing.T) {
	trust := reconciler.Trust{Key: newKey(t)}
	s, first := begin(t, trust)
	s.ask("registry.acme.example/hello:2.0.0")
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" && t.Commit != first.Commit })
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	s.rests("dev")
	s.end()
	state := s.dir + "/state-dev.git"
	head, want := s.git(state, "rev-parse", "main"), s.headFile(helloFile)
	merge := s.git(state, "commit-tree", "-p", first.Commit, "-p", head, "-m", "back", first.Commit+"^{tree}")
	s.git(state, "update-ref", "refs/heads/main", merge)
	remote := s.remote("state-dev")
	_, err := remote.Fetch(t.Context())
	require.NoError(t, err)
	generation, err := remote.Generation(t.Context(), merge)
	require.NoError(t, err)

	s.start(trust).deployed("dev", func(t fleet.Target) bool { return t.Sequence > int64(generation) })
	require.Equal(t, want, s.headFile(helloFile))
}
