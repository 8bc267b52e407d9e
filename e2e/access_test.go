package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authentication "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/reconciler/web/access"
)

// TestServiceAccountsAreKnownByTheirCluster: a real API server says whose a token is, for which audience, and that it is worth nothing
// any more.
func TestServiceAccountsAreKnownByTheirCluster(t *testing.T) {
	t.Parallel()
	fleet := startSandbox(t, binaries(t), []string{"one"}, "--api-only")
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(fleet, "kubeconfigs", "one.kubeconfig"))
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	accounts := client.CoreV1().ServiceAccounts("default")
	_, err = accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "deployer"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	token := func(audiences ...string) string {
		answer, err := accounts.CreateToken(t.Context(), "deployer", &authentication.TokenRequest{
			Spec: authentication.TokenRequestSpec{Audiences: audiences},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		return answer.Status.Token
	}
	file := filepath.Join(t.TempDir(), "access.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
kubernetes:
  audience: transom
  roles: [{user: 'system:serviceaccount:default:deployer', role: developer, team: payments}]
`), 0o600))
	now := time.Now()
	guard, err := access.New(access.Options{File: file, Reviews: client.AuthenticationV1().TokenReviews(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	admit := func(token string) (access.Identity, error) {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		return guard.Admit(r, access.Viewer)
	}
	right := token("transom")
	who, err := admit(right)
	require.NoError(t, err)
	require.Equal(t, access.Identity{Name: "system:serviceaccount:default:deployer", Role: access.Developer, Teams: []string{"payments"}}, who)
	for _, wrong := range []string{token(), token("vault"), right[:len(right)-4] + "AAAA"} {
		_, err := admit(wrong)
		require.ErrorContains(t, err, "this token is not known here")
	}
	require.NoError(t, accounts.Delete(t.Context(), "deployer", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		now = now.Add(time.Minute) // so that the answer of before is not remembered
		_, err = admit(right)
		return err != nil
	}, deadline, 100*time.Millisecond)
	require.ErrorContains(t, err, "this token is not known here")
}

// BenchmarkWrongTokens compares how long passes take in peace and while 200 wrong tokens arrive, each five times a second.
func BenchmarkWrongTokens(b *testing.B) {
	w := thousand(b, func(w *world) {
		file := filepath.Join(w.dir, "access.yaml")
		content := "tokens:\n"
		for i := range 100 {
			_, digest := access.NewToken()
			content += fmt.Sprintf("- {name: holder-%d, role: viewer, sha256: %s}\n", i, digest)
		}
		require.NoError(b, os.WriteFile(file, []byte(content), 0o600))
		w.flags = []string{"--access", file, "--anonymous-viewers"}
	})
	c := clients{Every: 200 * time.Millisecond}
	for range 200 {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, w.api+"/api/v1/status", http.NoBody)
		require.NoError(b, err)
		token, _ := access.NewToken()
		r.Header.Set("Authorization", "Bearer "+token)
		var request bytes.Buffer
		require.NoError(b, r.Write(&request))
		c.Calls = append(c.Calls, request.Bytes())
	}
	w.beside(b, nothing, w.byDaemon(c))[0].report(b, "wrong-tokens")
}
