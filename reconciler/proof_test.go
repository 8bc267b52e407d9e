package reconciler_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler"
	"transom.dev/render/state"
)

// held asks a target whether hello may be written to the cluster dev.
func (s *system) held(t fleet.Target) string {
	s.t.Helper()
	why, err := t.Proof.Withheld(s.t.Context(), "dev", apply.Owner{Environment: "dev", Team: "demo", Request: "hello"})
	require.NoError(s.t, err)
	return why
}

// sees waits until a daemon deploys a state of at least so many commits, and returns the target.
func (s *system) sees(place int64) fleet.Target {
	s.t.Helper()
	return s.deployed("dev", func(t fleet.Target) bool { return t.Sequence >= place })
}

// TestForgedBytesAreHeldBack, without a key: by the daemon that was there before, by one that starts on them, and by one that
// has committed something else on top of them since. A file that they leave alone needs no decision.
func TestForgedBytesAreHeldBack(t *testing.T) {
	s, good := begin(t, reconciler.Trust{})
	require.Empty(t, s.held(good))
	forged := s.forge(evil)
	s.Trigger.Fire("test")
	why := s.held(s.sees(s.place(forged)))
	for _, part := range []string{helloFile, forged, "Transom <transom@transom.dev>", "{state: " + forged + "}"} {
		require.Contains(t, why, part)
	}
	s.end()

	other := s.start(reconciler.Trust{})
	require.Equal(t, why, s.held(other.sees(s.place(forged))))
	s.add("more")
	other.Trigger.Fire("test")
	target := other.sees(s.place(forged) + 1)
	require.Equal(t, why, s.held(target), "what is carried over is no more proven than before")
	more, err := target.Proof.Withheld(t.Context(), "dev", apply.Owner{Environment: "dev", Team: "demo", Request: "more"})
	require.NoError(t, err)
	require.Empty(t, more)

	s.approve(forged)
	other.Trigger.Fire("test")
	other.deployed("dev", func(t fleet.Target) bool { return s.held(t) == "" })
}

// doubtful asks for the proof of hello as soon as a state is deployed.
type doubtful struct {
	*deployments
	s *system
}

func (f doubtful) Deploy(t fleet.Target) error {
	if t.Proof != nil && t.Commit != "" {
		f.s.held(t)
	}
	return f.deployments.Deploy(t)
}

// TestAnApprovalThatIsReadLaterAdmits a state commit that was asked about before, with the same commit of the platform.
func TestAnApprovalThatIsReadLaterAdmits(t *testing.T) {
	s, _ := begin(t, reconciler.Trust{})
	s.end()
	forged := s.forge(evil)
	other := s.twin()
	other.fleet.says(other.Placed)
	other.Fleet = doubtful{other.fleet, other}
	other.run()
	other.Trigger.Fire("test")
	require.NotEmpty(t, other.held(other.sees(s.place(forged))))

	dir := filepath.Join(s.clone(), "decisions/dev")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for i := range 12 { // a load reads a megabyte
		name := fmt.Sprintf("other%d", i)
		text := document("Approval", name) + "spec: {plan: \"sha256:" + strings.Repeat("0", 64) + "\"}\n# " + strings.Repeat("x", 100<<10) + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644))
	}
	s.approve(forged)
	other.Trigger.Fire("test")
	other.deployed("dev", func(t fleet.Target) bool { return other.held(t) == "" })
}

// add has dev asked for another request.
func (s *system) add(name string) {
	s.t.Helper()
	request := document("Request", name) + "spec: {offering: app, version: \"1\", parameters: {image: \"registry.acme.example/more:1.0.0\"}, environments: {dev: {}}}\n"
	require.NoError(s.t, os.WriteFile(filepath.Join(s.clone(), "requests/demo/"+name+".yaml"), []byte(request), 0o644))
	s.commit("another request")
}

// approve has a person admit a state commit.
func (s *system) approve(commit string) {
	s.t.Helper()
	dir := filepath.Join(s.clone(), "decisions/dev")
	require.NoError(s.t, os.MkdirAll(dir, 0o755))
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "state.yaml"), []byte(document("Approval", "state")+"spec: {state: "+commit+"}\n"), 0o644))
	s.commit("approve a state commit")
}

// TestWhatAnotherProcessCommittedIsProven by rendering it again, with the platform of the time when it was committed.
func TestWhatAnotherProcessCommittedIsProven(t *testing.T) {
	s, _ := begin(t, reconciler.Trust{})
	s.end()
	other := s.start(reconciler.Trust{})
	require.Empty(t, s.held(other.sees(1)))
	other.end()

	// A hold keeps the release that runs while the request changes, and an overlay comes that would change its bytes.
	head := s.git(s.clone(), "rev-parse", "HEAD")
	request := document("Request", "hello") +
		"spec: {offering: app, version: \"1\", parameters: {image: \"hello:2\"}, environments: {dev: {hold: true}}}\n"
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "requests/demo/hello.yaml"), []byte(request), 0o644))
	s.commit("hold it")
	third := s.start(reconciler.Trust{})
	third.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	require.Equal(t, head, third.record("hello").Commit, "it runs what it ran")
	require.Empty(t, s.held(third.sees(1)))
}

// record is the Release file of a request in dev, at the head.
func (s *system) record(name string) *state.Release {
	s.t.Helper()
	r, err := state.DecodeRelease([]byte(s.headFile("releases/demo/" + name + ".yaml")))
	require.NoError(s.t, err)
	return r
}

// TestForgedContentIsNoProof: bytes that render from a request that nobody merged are as forged as any.
func TestForgedContentIsNoProof(t *testing.T) {
	s, _ := begin(t, reconciler.Trust{})
	s.end()
	forged := s.forgeAll(evil)
	other := s.start(reconciler.Trust{})
	require.Contains(t, s.held(other.sees(s.place(forged))), "never asked for demo/hello as its Release file records it")
}

// TestForgedRemovalIsHeldBack, and one that the platform asks for is not.
func TestForgedRemovalIsHeldBack(t *testing.T) {
	s, _ := begin(t, reconciler.Trust{})
	s.end()
	s.hold() // so that it is not brought back at once
	forged := s.forgeRemoval()
	other := s.start(reconciler.Trust{})
	target := other.sees(s.place(forged))
	_, err := target.Snapshot.ReadFile(helloFile)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Contains(t, s.held(target), "the removal of "+helloFile)
	other.end()

	require.NoError(t, os.Remove(filepath.Join(s.clone(), "requests/demo/hello.yaml")))
	s.commit("remove it")
	third := s.start(reconciler.Trust{})
	third.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	require.Empty(t, s.held(third.sees(1)))
}

// hold keeps dev from taking anything.
func (s *system) hold() {
	s.t.Helper()
	dir := filepath.Join(s.clone(), "decisions/dev")
	require.NoError(s.t, os.MkdirAll(dir, 0o755))
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "freeze.yaml"), []byte(document("Hold", "freeze")+"spec: {reason: quiet}\n"), 0o644))
	s.commit("hold everything")
}

// forgeAll is forge where the request that the Release file records is edited as the bytes are.
func (s *system) forgeAll(edit func(string) string) string {
	return s.forged(func(files map[string]string) {
		before := files[helloFile]
		files[helloFile] = edit(before)
		files[helloRecord] = edit(strings.ReplaceAll(files[helloRecord], revision(before), revision(files[helloFile])))
	})
}

// forgeRemoval takes hello out of dev's state.
func (s *system) forgeRemoval() string {
	return s.forged(func(files map[string]string) {
		delete(files, helloFile)
		delete(files, helloRecord)
	})
}
