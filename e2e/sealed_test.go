package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSealedValueReachesItsClusterAlone: a value that a developer sealed is in the Secret on the cluster, and nowhere else; the copy of
// another request's file writes nothing, and delays nobody.
func TestSealedValueReachesItsClusterAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	id := newIdentity(t)
	w.opens(id.String() + "\n")
	w.start()

	files := w.sealing(id.Recipient().String())
	w.push("an offering", files)
	w.seal("orchard-51H")
	w.push("seal a value", nil)
	w.eventually("the value is on the cluster", w.hasPassword("orchard-51H"))
	w.seal("meadow-52H")
	commit := w.push("seal another value", nil)
	w.eventually("the next value is on the cluster", w.hasPassword("meadow-52H"))
	w.eventually("all is healthy", func() error { return w.healthy(commit, -1) })

	copied, err := os.ReadFile(filepath.Join(w.clone(), "requests/payments/keys.dev.secret.yaml"))
	require.NoError(t, err)
	w.push("a copy", map[string]string{
		"requests/payments/copy.yaml":            strings.ReplaceAll(files["requests/payments/keys.yaml"], "name: keys", "name: copy"),
		"requests/payments/copy.dev.secret.yaml": strings.Replace(string(copied), "name: keys", "name: copy", 1),
	})
	w.eventually("the copy does not open", func() error { return w.hasObjectProblem("dev", "copy") })
	w.push("a neighbour", map[string]string{"requests/payments/other.yaml": request("other", "blue")})
	w.live("other", "blue")
	_, err = w.client("one").CoreV1().Secrets("payments").Get(t.Context(), "copy-vault", metav1.GetOptions{})
	require.Error(t, err, "nothing of the copy was written")

	state, err := exec.Command("git", "-C", filepath.Join(w.dir, "state-dev.git"), "log", "-p", "--all").Output()
	require.NoError(t, err)
	require.True(t, bytes.Contains(state, []byte("ENC[AES256_GCM")))
	log, err := os.ReadFile(filepath.Join(w.dir, "daemon.log"))
	require.NoError(t, err)
	said := w.transom("status", "-o", "json") + w.transom("explain", "payments/copy", "--environment", "dev", "-o", "json")
	require.Contains(t, said, "it is sealed for another request or environment than payments/copy/dev")
	for name, text := range map[string]string{"state": string(state), "log": string(log), "status": said} {
		require.NotContains(t, text, "orchard-51H", "the value is in the %s", name)
		require.NotContains(t, text, "meadow-52H", "the value is in the %s", name)
	}
	w.stop()
}

// TestAKeyIsRotatedUnderARunningDaemon: a file that is sealed to a key which the daemon does not have is a Problem of its instance and delays
// nobody; the key is all that it takes, without a restart, and then the old one may go.
func TestAKeyIsRotatedUnderARunningDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	old, next := newIdentity(t), newIdentity(t)
	file := w.opens(old.String() + "\n")
	w.start()
	w.push("an offering", w.sealing(old.Recipient().String()))
	w.seal("orchard-51H")
	w.push("seal a value", nil)
	w.eventually("the value is on the cluster", w.hasPassword("orchard-51H"))

	// The recipient is another one, and so is that of the file, before the daemon has its key.
	dev, err := os.ReadFile(filepath.Join(w.clone(), "environments/dev.yaml"))
	require.NoError(t, err)
	w.write("environments/dev.yaml", strings.Replace(string(dev), old.Recipient().String(), next.Recipient().String(), 1))
	out := w.transom("secret", "rekey", "-C", w.clone(), "--age-identities", file)
	require.Contains(t, out, "requests/payments/keys.dev.secret.yaml: rekeyed (+ "+next.Recipient().String()+", - "+old.Recipient().String()+")")
	w.push("rotate the key", nil)
	foreign := "it is sealed for " + next.Recipient().String() + ", and none of the 1 identities at hand is theirs; give the daemon theirs by --age-identities"
	w.eventually("the daemon says so", func() error {
		if !strings.Contains(w.transom("status", "-o", "json"), foreign) {
			return errors.New("it does not say: " + foreign)
		}
		return nil
	})
	w.push("a neighbour", map[string]string{"requests/payments/other.yaml": request("other", "blue")})
	w.live("other", "blue")
	require.NoError(t, w.hasPassword("orchard-51H")(), "the value that runs stays")

	// The daemon is given both.
	require.NoError(t, os.WriteFile(file, []byte(old.String()+"\n"+next.String()+"\n"), 0o600))
	commit := w.git(w.clone(), "rev-parse", "HEAD")
	w.eventually("all is healthy", func() error { return w.healthy(commit, -1) })
	require.NoError(t, w.hasPassword("orchard-51H")())

	// The old one goes.
	require.NoError(t, os.WriteFile(file, []byte(next.String()+"\n"), 0o600))
	w.seal("meadow-52H")
	w.push("another value", nil)
	w.eventually("the next value is on the cluster", w.hasPassword("meadow-52H"))
	w.stop()
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return id
}

// opens gives the daemon age identities, from when it starts, in a file that it returns.
func (w *world) opens(identities string) (file string) {
	w.t.Helper()
	file = filepath.Join(w.t.TempDir(), "key.txt")
	require.NoError(w.t, os.WriteFile(file, []byte(identities), 0o600))
	w.flags = append(w.flags, "--age-identities", file)
	return file
}

// sealing is an offering that asks for a password, a request of it in dev, and dev with a recipient.
func (w *world) sealing(recipient string) map[string]string {
	w.t.Helper()
	files := maps.Clone(vault)
	files["offerings/vault/1.0.0/secret.yaml"] = strings.ReplaceAll(vault["offerings/vault/1.0.0/secret.yaml"],
		"transom.dev/generate: password, transom.dev/generate-keys: password", "transom.dev/sealed: password")
	files["requests/payments/keys.yaml"] = strings.Replace(vault["requests/payments/keys.yaml"], ", prod: {}", "", 1)
	dev, err := os.ReadFile(filepath.Join(w.clone(), "environments/dev.yaml"))
	require.NoError(w.t, err)
	files["environments/dev.yaml"] = strings.TrimRight(string(dev), "\n") + fmt.Sprintf("\n  secrets: {recipients: {payments: [%s]}}\n", recipient)
	return files
}

// seal seals the password of the request in the clone.
func (w *world) seal(value string) { w.sealAs(value+"\n", "payments/keys", "password", "-e", "dev") }

func (w *world) sealAs(input string, args ...string) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, "transom"), append([]string{"secret", "set", "-C", w.clone()}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, string(out))
}

// hasPassword says whether the Secret of the request has a password.
func (w *world) hasPassword(value string) func() error {
	return func() error {
		secret, err := w.client("one").CoreV1().Secrets("payments").Get(w.t.Context(), "keys-vault", metav1.GetOptions{})
		if err == nil && string(secret.Data["password"]) != value {
			err = fmt.Errorf("it holds another value")
		}
		return err
	}
}

// write puts a file into the clone.
func (w *world) write(name, content string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.clone(), name), []byte(content), 0o644))
}
