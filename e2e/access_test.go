package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
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

// The storm of BenchmarkWrongTokens.
const (
	storming = 20 // senders
	aSecond  = 1000
)

// storm sends wrong tokens until stop is called, which returns how many there were in a second.
func storm(b *testing.B, url string) (stop func() float64) {
	ctx, cancel := context.WithCancel(b.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: storming}}
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range storming {
		senders.Go(func() {
			for tick := time.NewTicker(time.Second * storming / aSecond); ctx.Err() == nil; <-tick.C {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/status", http.NoBody)
				if err != nil {
					return
				}
				token, _ := access.NewToken()
				req.Header.Set("Authorization", "Bearer "+token)
				if resp, err := client.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					sent.Add(1)
				}
			}
		})
	}
	began := time.Now()
	return func() float64 {
		cancel()
		senders.Wait()
		return float64(sent.Load()) / time.Since(began).Seconds()
	}
}

var passSeconds = regexp.MustCompile(`(?m)^transom_pass_seconds_sum\{[^}]*phase="pass"\} (\S+)$`)

// passed is how long all passes of the daemon have taken together.
func (w *world) passed() (seconds float64) {
	answer, err := http.Get(w.api + "/metrics")
	require.NoError(w.t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	for _, found := range passSeconds.FindAllStringSubmatch(string(body), -1) {
		took, err := strconv.ParseFloat(found[1], 64)
		require.NoError(w.t, err)
		seconds += took
	}
	return seconds
}

// BenchmarkWrongTokens changes one of 1,000 requests again and again, by turns in peace and while 1,000 wrong tokens a second arrive, and
// compares how long the passes take. The sender of the tokens is on the same machine and takes its share.
func BenchmarkWrongTokens(b *testing.B) {
	w := newWorld(b, settings, bothClusters, "--api-only")
	file := filepath.Join(w.dir, "access.yaml")
	content := "tokens:\n"
	for i := range 100 {
		_, digest := access.NewToken()
		content += fmt.Sprintf("- {name: holder-%d, role: viewer, sha256: %s}\n", i, digest)
	}
	require.NoError(b, os.WriteFile(file, []byte(content), 0o600))
	w.flags = []string{"--access", file, "--anonymous-viewers"}
	files := map[string]string{}
	for i := range 999 {
		name := fmt.Sprintf("r%03d", i)
		files["requests/payments/"+name+".yaml"] = request(name, "green")
	}
	commit := w.push("a thousand requests", files)
	w.start()
	w.eventually("a thousand requests are healthy", func() error { return w.healthy(commit, 2000) })
	took, change := map[bool]float64{}, 0
	for turn := range 10 {
		stormy := turn%2 == 1
		var stop func() float64
		if stormy {
			stop = storm(b, w.api)
		}
		before := w.passed()
		for range 5 {
			change++
			color := fmt.Sprintf("c%d", change)
			w.push(color, map[string]string{"requests/payments/shop.yaml": request("shop", color)})
			for _, cluster := range bothClusters {
				w.eventually("the change is live", func() error { return w.color(cluster, "payments", "shop", color) })
			}
		}
		took[stormy] += w.passed() - before
		if stormy {
			rate := stop()
			require.Greater(b, rate, 0.5*aSecond, "wrong tokens a second: the machine is too busy to measure")
			b.Logf("%.0f wrong tokens a second", rate)
		}
	}
	b.ReportMetric(took[true]/took[false], "wrong-tokens:times")
	b.ReportMetric(0, "ns/op")
}
