package credential_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"

	"transom.dev/fleet/credential"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// tokenOf is a token of ServiceAccount transom-system/transom. Nobody here checks its signature.
func tokenOf(issued, expires time.Time) string {
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d,"sub":"system:serviceaccount:transom-system:transom",`+
		`"kubernetes.io":{"namespace":"transom-system","serviceaccount":{"name":"transom"}}}`, issued.Unix(), expires.Unix())
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
}

// certificate is that of a server, as a kubeconfig has it.
func certificate(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// own writes a kubeconfig as "transom cluster add" does, and returns its file.
func own(t *testing.T, server *httptest.Server, token string) string {
	t.Helper()
	data, err := credential.Renewable("prod", &api.Cluster{Server: server.URL, CertificateAuthorityData: certificate(server)}, token)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "prod.kubeconfig")
	require.NoError(t, credential.WriteFile(file, data))
	return file
}

func read(t *testing.T, file string) *credential.Credential {
	t.Helper()
	found, err := credential.Keys{Sources: []credential.Source{credential.Directory(filepath.Dir(file))}}.Connect(t.Context(), "prod", false)
	require.NoError(t, err)
	return found
}

// TestACredentialIsWarnedOfSevenDaysAhead, and one that Transom renews by itself only when that should have happened.
func TestACredentialIsWarnedOfSevenDaysAhead(t *testing.T) {
	days := func(n int) time.Time { return now.AddDate(0, 0, n) }
	theirs := func(token string) *credential.Credential {
		found, err := connect(t, strings.Replace(strings.Replace(kubeconfig, "t0p-s3cret", token, 1), ", certificate-authority: ca.crt", "", 1))
		require.NoError(t, err)
		return found
	}
	c := theirs(tokenOf(days(-50), days(10)))
	require.Equal(t, "system:serviceaccount:transom-system:transom", c.User)
	require.True(t, c.Expires.Equal(days(10)))
	require.Empty(t, c.Warning(days(2)))
	require.Equal(t, "the credential in "+c.Source+" expires on 2026-12-09 12:00 UTC; put a new one there; "+
		`one that "transom cluster add" makes is renewed by itself`, c.Warning(days(4)))
	require.Equal(t, c.Warning(days(4)), c.Warning(days(5)), "it is said once")
	require.Contains(t, c.Warning(days(10)), "expired on 2026-12-09 12:00 UTC")

	server, _ := issuer(t, "")
	ours := read(t, own(t, server, tokenOf(days(0), days(4))))
	require.Empty(t, ours.Warning(days(2)), "half of its life is left")
	require.Contains(t, ours.Warning(days(4).Add(-time.Hour)), `"transom cluster add" with the same arguments makes a new one`)
	require.Empty(t, theirs("opaque").Warning(now))
	require.Empty(t, theirs("a.b.c").Warning(now))
}

func TestAClientCertificateSaysItsUserAndExpiry(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes-admin"}, NotBefore: now, NotAfter: now.AddDate(0, 0, 8)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	require.NoError(t, err)
	text := base64.StdEncoding.EncodeToString
	content := strings.Replace(kubeconfig, "token: t0p-s3cret", "client-certificate-data: "+
		text(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+", client-key-data: "+text(keyPEM), 1)
	found, err := connect(t, content)
	require.NoError(t, err)
	require.Equal(t, "kubernetes-admin", found.User)
	require.Empty(t, found.Warning(now))
	require.Contains(t, found.Warning(now.AddDate(0, 0, 2)), "expires on 2026-12-07 12:00 UTC")
}

// TestAnExpiredCredentialIsNotJustUnauthorized: whoever asks the cluster with it learns why it is refused.
func TestAnExpiredCredentialIsNotJustUnauthorized(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(server.Close)
	ask := func(c *credential.Credential) error {
		client, err := rest.HTTPClientFor(c.Config)
		require.NoError(t, err)
		answer, err := client.Get(server.URL)
		if err == nil {
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
			require.NoError(t, answer.Body.Close())
		}
		return err
	}
	expired := read(t, own(t, server, tokenOf(now.AddDate(-1, 0, 0), time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))))
	require.ErrorContains(t, ask(expired), "the credential in "+expired.Source+` expired on 2026-01-02 03:04 UTC; "transom cluster add" with`)
	lasting := read(t, own(t, server, tokenOf(time.Now(), time.Now().Add(time.Hour))))
	require.ErrorContains(t, ask(lasting), "the cluster does not accept the credential in "+lasting.Source+" (Unauthorized): it is of another cluster, or its account was deleted; "+
		`"transom cluster add" with the same arguments makes a new one`)
}

// issuer is an API server that gives out tokens.
func issuer(t *testing.T, token string) (server *httptest.Server, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Spec struct {
				ExpirationSeconds int64 `json:"expirationSeconds"`
			} `json:"spec"`
		}
		_ = json.NewDecoder(r.Body).Decode(&request)
		*asked = append(*asked, fmt.Sprintf("%s %s for %ds", r.Method, r.URL.Path, request.Spec.ExpirationSeconds))
		w.Header().Set("Content-Type", "application/json")
		if token == "" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no, you may not"}`))
			return
		}
		_, _ = fmt.Fprintf(w, `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{},"status":{"token":%q}}`, token)
	}))
	t.Cleanup(server.Close)
	return server, asked
}

// TestATokenIsRenewedAtHalfOfItsLife, in place: the file is replaced, for nobody else to read.
func TestATokenIsRenewedAtHalfOfItsLife(t *testing.T) {
	next := tokenOf(now.Add(time.Hour), now.Add(3*time.Hour))
	server, asked := issuer(t, next)
	file := own(t, server, tokenOf(now, now.Add(2*time.Hour)))
	c := read(t, file)
	c.Tend(t.Context(), now.Add(59*time.Minute))
	require.Empty(t, *asked)
	c.Tend(t.Context(), now.Add(61*time.Minute))
	require.Equal(t, []string{"POST /api/v1/namespaces/transom-system/serviceaccounts/transom/token for 7200s"}, *asked)
	require.Empty(t, c.Warning(now.Add(61*time.Minute)))
	c.Tend(t.Context(), now.Add(62*time.Minute))
	require.Len(t, *asked, 1, "a renewal that was not taken up yet is not repeated at once")

	renewed := read(t, file)
	require.Equal(t, next, renewed.Config.BearerToken)
	require.Equal(t, server.URL, renewed.Config.Host)
	renewed.Tend(t.Context(), now.Add(3*time.Hour).Add(-time.Minute))
	require.Len(t, *asked, 2, "the kubeconfig is still one of Transom's own")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestARenewalThatFailsIsSaidAndTriedAgain(t *testing.T) {
	server, asked := issuer(t, "")
	old := tokenOf(now, now.Add(240*time.Hour))
	file := own(t, server, old)
	c, at := read(t, file), now.Add(121*time.Hour)
	c.Tend(t.Context(), at)
	require.Contains(t, c.Warning(at), "could not be renewed, which is tried every hour; it expires on 2026-12-09 12:00 UTC: "+
		"request a token of ServiceAccount transom-system/transom: no, you may not")
	c.Tend(t.Context(), at.Add(59*time.Minute))
	require.Len(t, *asked, 1)
	c.Tend(t.Context(), at.Add(time.Hour))
	require.Len(t, *asked, 2)
	require.Equal(t, old, read(t, file).Config.BearerToken)

	server, _ = issuer(t, tokenOf(now, now.Add(480*time.Hour)))
	file = own(t, server, old)
	c = read(t, file)
	require.NoError(t, os.WriteFile(file, []byte("somebody else wrote it"), 0o600))
	c.Tend(t.Context(), at)
	require.Contains(t, c.Warning(at), file+" changed meanwhile")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "somebody else wrote it", string(content))
}

// TestATokenOfSomebodyElseIsNeverRenewed: no kubeconfig is written that "transom cluster add" did not make.
func TestATokenOfSomebodyElseIsNeverRenewed(t *testing.T) {
	server, asked := issuer(t, tokenOf(now, now.Add(9*time.Hour)))
	content := strings.NewReplacer("https://10.1.2.3:6443", server.URL, "certificate-authority: ca.crt",
		"certificate-authority-data: "+base64.StdEncoding.EncodeToString(certificate(server)), "t0p-s3cret", tokenOf(now, now.Add(time.Hour))).Replace(kubeconfig)
	c, err := connect(t, content)
	require.NoError(t, err)
	c.Tend(t.Context(), now.Add(50*time.Minute))
	require.Empty(t, *asked)
}
