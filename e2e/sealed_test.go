package e2e_test

import (
	"bytes"
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
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	identity := filepath.Join(t.TempDir(), "key.txt")
	require.NoError(t, os.WriteFile(identity, []byte(id.String()+"\n"), 0o600))
	w.flags = append(w.flags, "--age-identities", identity)
	w.start()

	files := maps.Clone(vault)
	files["offerings/vault/1.0.0/secret.yaml"] = strings.ReplaceAll(vault["offerings/vault/1.0.0/secret.yaml"],
		"transom.dev/generate: password, transom.dev/generate-keys: password", "transom.dev/sealed: password")
	files["requests/payments/keys.yaml"] = strings.Replace(vault["requests/payments/keys.yaml"], ", prod: {}", "", 1)
	dev, err := os.ReadFile(filepath.Join(w.clone(), "environments/dev.yaml"))
	require.NoError(t, err)
	files["environments/dev.yaml"] = strings.TrimRight(string(dev), "\n") + fmt.Sprintf("\n  secrets: {recipients: {payments: [%s]}}\n", id.Recipient())
	w.push("an offering", files)
	seal := func(value string) string {
		cmd := exec.Command(filepath.Join(w.bin, "transom"), "secret", "set", "payments/keys", "password", "-e", "dev", "-C", w.clone())
		cmd.Stdin = strings.NewReader(value + "\n")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return w.push("seal a value", nil)
	}
	holds := func(value string) func() error {
		return func() error {
			secret, err := w.client("one").CoreV1().Secrets("payments").Get(t.Context(), "keys-vault", metav1.GetOptions{})
			if err == nil && string(secret.Data["password"]) != value {
				err = fmt.Errorf("it holds another value")
			}
			return err
		}
	}
	seal("orchard-51H")
	w.eventually("the value is on the cluster", holds("orchard-51H"))
	commit := seal("meadow-52H")
	w.eventually("the next value is on the cluster", holds("meadow-52H"))
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
