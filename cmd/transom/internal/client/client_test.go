package client_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/client"
)

// daemon answers who knows the token, and keeps what it was sent.
func daemon(t *testing.T, token string) (at *httptest.Server, sent *[]string) {
	t.Helper()
	sent = &[]string{}
	at = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*sent = append(*sent, r.Header.Get("Authorization"))
		switch r.Header.Get("Authorization") {
		case "Bearer " + token:
			_, _ = w.Write([]byte("[]"))
		case "Bearer transom_viewer":
			http.Error(w, `{"error": "a is viewer, and this needs the role developer"}`, http.StatusForbidden)
		default:
			http.Error(w, `{"error": "this token is not known here"}`, http.StatusUnauthorized)
		}
	}))
	t.Cleanup(at.Close)
	return at, sent
}

// ca writes the certificate of a server to a file.
func ca(t *testing.T, certificate *x509.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600))
	return file
}

func TestTheDaemonIsAskedWithATokenByTLS(t *testing.T) {
	at, _ := daemon(t, "transom_right")
	trusted := ca(t, at.Certificate())
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("transom_right\n"), 0o600))
	_, err := (client.Client{Server: at.URL, CA: trusted, TokenFile: file, Token: "transom_wrong"}).Events(t.Context())
	require.NoError(t, err)
	_, err = (client.Client{Server: at.URL, CA: trusted, Token: "transom_right"}).Events(t.Context())
	require.NoError(t, err)

	for name, c := range map[string]struct {
		client client.Client
		want   string
	}{
		"without a token":     {client.Client{CA: trusted}, "has to know who asks: set TRANSOM_TOKEN or --token-file"},
		"with a wrong one":    {client.Client{CA: trusted, Token: "transom_wrong"}, "this token is not known here"},
		"without the role":    {client.Client{CA: trusted, Token: "transom_viewer"}, "a is viewer, and this needs the role developer"},
		"without trust":       {client.Client{Token: "transom_right"}, "certificate signed by unknown authority"},
		"with no authority":   {client.Client{CA: file}, "has no certificate in PEM"},
		"with no file":        {client.Client{CA: trusted, TokenFile: file + "s"}, "--token-file: open"},
		"with an empty file":  {client.Client{CA: trusted, TokenFile: os.DevNull}, "is empty"},
		"with several tokens": {client.Client{CA: trusted, Token: "a\nb"}, "one word"},
	} {
		t.Run(name, func(t *testing.T) {
			c.client.Server = at.URL
			_, err := c.client.Events(t.Context())
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestATokenDoesNotTravelInTheClear(t *testing.T) {
	_, err := (client.Client{Server: "http://transom.acme.example", Token: "transom_right"}).Events(t.Context())
	require.ErrorContains(t, err, "would travel in the clear")
	require.NotContains(t, err.Error(), "transom_right")
}

// TestATokenFollowsNoRedirectElsewhere: not to another host, port or scheme, and on the same server it does.
func TestATokenFollowsNoRedirectElsewhere(t *testing.T) {
	other, got := daemon(t, "transom_right")
	var to string
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved") {
			*got = append(*got, "same "+r.Header.Get("Authorization"))
			_, _ = w.Write([]byte("[]"))
			return
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(at.Close)
	c := client.Client{Server: at.URL, CA: ca(t, other.Certificate()), Token: "transom_right"}
	for _, to = range []string{other.URL, strings.Replace(at.URL, "127.0.0.1", "localhost", 1), strings.Replace(at.URL, "http", "https", 1)} {
		_, err := c.Events(t.Context())
		require.ErrorContains(t, err, "sends to another server")
	}
	require.Empty(t, *got)
	to = "/moved"
	_, err := c.Events(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"same Bearer transom_right"}, *got)
	to = "/again"
	_, err = c.Events(t.Context())
	require.ErrorContains(t, err, "without an end")
}
