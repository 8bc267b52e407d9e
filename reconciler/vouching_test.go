package reconciler_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
)

// newSigner makes an SSH key, and returns the line of its public part.
func newSigner(t testing.TB) (*gitrepo.SigningKey, string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	key, err := gitrepo.ReadSigningKey(file)
	require.NoError(t, err)
	line, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return key, string(ssh.MarshalAuthorizedKey(line))
}

// merge pushes a commit to the platform that a key signed, and returns it.
func (s *system) merge(key *gitrepo.SigningKey, file, content string) string {
	s.t.Helper()
	remote := &gitrepo.Remote{URL: filepath.Join(s.dir, "platform.git"), Branch: "main", Dir: s.t.TempDir()}
	head, err := remote.Fetch(s.t.Context())
	require.NoError(s.t, err)
	ann := gitrepo.Signature{Name: "Ann", Email: "ann@acme.example"}
	made, err := remote.Commit(s.t.Context(), head, gitrepo.Commit{
		Message: "merge", Changes: map[string][]byte{file: []byte(content)}, Author: ann, Committer: ann, When: time.Now(), Key: key,
	})
	require.NoError(s.t, err)
	return made.Commit
}

// signers has the platform's head need the signature of a key of those that are set.
func (s *system) signers() (set func(lines ...string)) {
	var now atomic.Pointer[gitrepo.Signers]
	s.Signers = now.Load
	return func(lines ...string) {
		s.t.Helper()
		file := filepath.Join(s.t.TempDir(), "signers")
		require.NoError(s.t, os.WriteFile(file, []byte(strings.Join(lines, "")), 0o644))
		read, err := gitrepo.ReadSigners(file)
		require.NoError(s.t, err)
		now.Store(read)
	}
}

// frozen waits until status says that the platform is frozen with certain words, or with "" that it is not.
func (s *system) frozen(words string) {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	for limit := time.After(time.Minute); ; {
		why := s.Board.Status().Platform.Frozen
		if (why == "") == (words == "") && strings.Contains(why, words) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "not so", "frozen: %s", why)
		}
	}
}

const renamed = "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: hello}\n" +
	"spec:\n  offering: app\n  version: \"1\"\n  parameters: {image: \"evil:1\"}\n  environments: {dev: {}}\n"

// TestOnlyASignedHeadIsFollowed: what nobody signed is not rendered, until somebody signs a commit on top.
func TestOnlyASignedHeadIsFollowed(t *testing.T) {
	s := newSystem(t)
	var told []string
	s.Board.OnEvent = func(e status.Event) {
		if e.Environment == "" && e.Level != "" {
			told = append(told, string(e.Level)+" "+string(e.Kind))
		}
	}
	key, line := newSigner(t)
	set := s.signers()
	set(line)
	signed := s.merge(key, "README.md", "one\n")
	unsigned := s.merge(nil, "requests/demo/hello.yaml", renamed)
	newest := s.merge(nil, "README.md", "two\n")
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", signed)
	s.frozen("commit " + newest + " of Ann <ann@acme.example> is not vouched for: it is not signed; the platform is frozen at " + signed)
	s.frozen("git commit -S --allow-empty")
	require.NotContains(t, s.git(s.dir+"/state-dev.git", "grep", "-h", "image:", "main"), "evil")
	s.Trigger.Fire("test")
	s.rests("dev")

	whole := s.merge(key, "README.md", "three\n")
	s.Trigger.Fire("test")
	s.stands("dev", whole)
	s.frozen("")
	require.Contains(t, s.git(s.dir+"/state-dev.git", "grep", "-h", "image:", "main"), "evil", "a signature covers all commits before: "+unsigned)
	s.stop()
	require.NoError(t, <-s.stopped)
	s.stopped <- nil
	require.Equal(t, []string{"error problem", "warning recovered"}, told, "once each, and so in the log")
}

// TestAKeyThatIsTakenAwayFreezesWhatItSigned, in this process and after a restart, and the environments go back nowhere.
func TestAKeyThatIsTakenAwayFreezesWhatItSigned(t *testing.T) {
	s := newSystem(t)
	old, oldLine := newSigner(t)
	young, youngLine := newSigner(t)
	set := s.signers()
	set(oldLine, youngLine)
	first := s.merge(young, "README.md", "one\n")
	second := s.merge(old, "requests/demo/hello.yaml", renamed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", second)
	state := s.git(s.dir+"/state-dev.git", "rev-parse", "main")

	set(youngLine)
	s.Trigger.Fire("test")
	s.frozen("which is not allowed; the platform is frozen at " + first)
	s.stands("dev", first)
	require.Contains(t, s.environment().Frozen, "this environment runs "+second+", which no key vouches for any more: nothing is committed or deleted")
	require.Equal(t, state, s.git(s.dir+"/state-dev.git", "rev-parse", "main"))

	third := s.merge(young, "README.md", "two\n")
	s.Trigger.Fire("test")
	s.stands("dev", third)
	s.frozen("")
	require.Empty(t, s.environment().Frozen)
}

// TestAPushBackToAnOlderSignedCommitIsNoWayBack: its signature is good, and the environments do not follow it.
func TestAPushBackToAnOlderSignedCommitIsNoWayBack(t *testing.T) {
	s := newSystem(t)
	key, line := newSigner(t)
	s.signers()(line)
	first := s.merge(key, "README.md", "one\n")
	second := s.merge(key, "requests/demo/hello.yaml", renamed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", second)
	state := s.git(s.dir+"/state-dev.git", "rev-parse", "main")
	s.git(s.dir+"/platform.git", "update-ref", "refs/heads/main", first)
	s.Trigger.Fire("test")
	s.stands("dev", first)
	require.Contains(t, s.environment().Frozen, "the platform's history was rewritten")
	require.Equal(t, state, s.git(s.dir+"/state-dev.git", "rev-parse", "main"))
}

// TestWithoutASignedCommitNothingIsRead, by a standby neither.
func TestWithoutASignedCommitNothingIsRead(t *testing.T) {
	s := newSystem(t)
	key, line := newSigner(t)
	s.signers()(line)
	s.run()
	s.Trigger.Fire("test")
	changed, end := s.Board.Subscribe()
	defer end()
	for s.Board.Status().Platform.Error == "" {
		<-changed
	}
	require.Contains(t, s.Board.Status().Platform.Error, "no commit of its branch is signed by a key of --verify-signatures")
	s.frozen("it is not signed; no commit before it is signed by such a key, so nothing is read")
	require.ErrorContains(t, s.Ready(), "no commit of its branch is signed by a key of --verify-signatures; \"transom status\" says how to go on")
	head := s.merge(key, "README.md", "one\n")
	s.Trigger.Fire("test")
	s.stands("dev", head)
	s.frozen("")
}
