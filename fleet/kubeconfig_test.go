package fleet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://10.1.2.3:6443", certificate-authority: ca.crt}}]
users: [{name: u, user: {token: t0p-s3cret}}]
`

func TestKubeconfigsReadsTheFileOfACluster(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prod.kubeconfig"), []byte(kubeconfig), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("cert"), 0o600))
	config, err := fleet.Kubeconfigs(dir)(t.Context(), "prod")
	require.NoError(t, err)
	require.Equal(t, "https://10.1.2.3:6443", config.Host)
	require.Equal(t, "t0p-s3cret", config.BearerToken)
	require.Equal(t, filepath.Join(dir, "ca.crt"), config.CAFile)
}

func TestKubeconfigsSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "prod.kubeconfig")
	connect := fleet.Kubeconfigs(dir)
	_, err := connect(t.Context(), "prod")
	require.EqualError(t, err, "no kubeconfig for cluster prod: "+file+" is missing; it is used as soon as it is there")

	for content, want := range map[string]string{
		"":                      "invalid configuration: no configuration has been provided", // and never the cluster that we run in
		"kind: {":               "read kubeconfig " + file,
		"users: t0p-s3cret":     "read kubeconfig " + file,
		"current-context: gone": "kubeconfig " + file,
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := connect(t.Context(), "prod")
		require.ErrorContains(t, err, want, content)
		require.NotContains(t, err.Error(), "s3cret")
	}
}
