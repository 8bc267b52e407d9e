package credential_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"

	"transom.dev/fleet/credential"
)

// management is a management cluster with the Secret prod-kubeconfig in namespace fleets. It answers a write with a conflict unless
// the write is bound to the version that is there.
func management(t *testing.T, secret *v1.Secret) *credential.Secrets {
	t.Helper()
	secret.Name, secret.Namespace = "prod-kubeconfig", "fleets"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var written v1.Secret
		w.Header().Set("Content-Type", "application/json")
		switch body, _ := io.ReadAll(r.Body); {
		case r.URL.Path != "/api/v1/namespaces/fleets/secrets/prod-kubeconfig":
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
			return
		case r.Method == http.MethodPut && json.Unmarshal(body, &written) == nil && written.ResourceVersion != secret.ResourceVersion:
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"it changed"}`))
			return
		case r.Method == http.MethodPut:
			*secret = written
		}
		_ = json.NewEncoder(w).Encode(secret)
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: certificate(server)}}
	secrets, err := credential.OpenSecrets(config, "fleets")
	require.NoError(t, err)
	return secrets
}

func TestSecretsAreReadByTheirLabel(t *testing.T) {
	for name, c := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"of cluster add":         {labels: map[string]string{"transom.dev/cluster": "prod"}},
		"of Cluster API":         {labels: map[string]string{"cluster.x-k8s.io/cluster-name": "prod"}},
		"of nobody":              {want: "has neither label transom.dev/cluster nor cluster.x-k8s.io/cluster-name with the name of the cluster"},
		"of a cluster elsewhere": {labels: map[string]string{"cluster.x-k8s.io/cluster-name": "test"}, want: "has neither label"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := credential.Renewable("prod", &api.Cluster{Server: "https://10.1.2.3"}, "t0p-s3cret")
			require.NoError(t, err)
			secrets := management(t, &v1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: c.labels}, Data: map[string][]byte{"value": data}})
			found, err := credential.Keys{Sources: []credential.Source{secrets}}.Connect(t.Context(), "prod", false)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				require.ErrorIs(t, err, fs.ErrNotExist)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "t0p-s3cret", found.Config.BearerToken)
			require.Equal(t, "Secret fleets/prod-kubeconfig", found.Source)
			_, err = credential.Keys{Sources: []credential.Source{secrets}}.Connect(t.Context(), "test", false)
			require.EqualError(t, err, "no kubeconfig for cluster test: Secret fleets/test-kubeconfig is missing; it is used as soon as it is there")
		})
	}
}

// TestASecretThatChangedMeanwhileStays: a renewed token is written over no newer one.
func TestASecretThatChangedMeanwhileStays(t *testing.T) {
	next := tokenOf(now.Add(time.Hour), now.Add(3*time.Hour))
	server, _ := issuer(t, next)
	data, err := credential.Renewable("prod", &api.Cluster{Server: server.URL, CertificateAuthorityData: certificate(server)}, tokenOf(now, now.Add(2*time.Hour)))
	require.NoError(t, err)
	secret := &v1.Secret{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"transom.dev/cluster": "prod"}, ResourceVersion: "1"},
		Data:       map[string][]byte{"value": data},
	}
	keys := credential.Keys{Sources: []credential.Source{management(t, secret)}}
	connect := func() *credential.Credential {
		c, err := keys.Connect(t.Context(), "prod", false)
		require.NoError(t, err)
		return c
	}
	late, at := connect(), now.Add(61*time.Minute)
	secret.ResourceVersion = "2"
	late.Tend(t.Context(), at)
	require.Contains(t, late.Warning(at), "write Secret fleets/prod-kubeconfig: it changed")
	require.Equal(t, late.Config.BearerToken, connect().Config.BearerToken)
	connect().Tend(t.Context(), at)
	require.Equal(t, next, connect().Config.BearerToken)
}
