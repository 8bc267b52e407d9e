package credential_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/credential"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://10.1.2.3:6443", certificate-authority: ca.crt}}]
users: [{name: u, user: {token: t0p-s3cret}}]
`

// connect reads a kubeconfig in a directory of its own.
func connect(t *testing.T, content string, allowed ...string) (*credential.Credential, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prod.kubeconfig"), []byte(content), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("cert"), 0o600))
	keys := credential.Keys{Sources: []credential.Source{credential.Directory(dir)}, Allowed: allowed}
	return keys.Connect(t.Context(), "prod", false)
}

func TestDirectoryHasTheFileOfACluster(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "prod.kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(kubeconfig), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("cert"), 0o600))
	found, err := credential.Keys{Sources: []credential.Source{credential.Directory(dir)}}.Connect(t.Context(), "prod", false)
	require.NoError(t, err)
	require.Equal(t, "https://10.1.2.3:6443", found.Config.Host)
	require.Equal(t, "t0p-s3cret", found.Config.BearerToken)
	require.Equal(t, filepath.Join(dir, "ca.crt"), found.Config.CAFile)
	require.Equal(t, file, found.Source)
	require.Zero(t, found.Expires, "a token that says nothing")
}

// halfContext is a kubeconfig of which somebody removed too much.
const halfContext = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\nclusters: [{name: b, cluster: {server: 'https://h'}}]\n"

func TestKeysSayWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "prod.kubeconfig")
	keys := credential.Keys{Sources: []credential.Source{credential.Directory(dir)}}
	_, err := keys.Connect(t.Context(), "prod", false)
	require.EqualError(t, err, "no kubeconfig for cluster prod: "+file+" is missing; it is used as soon as it is there")
	require.ErrorIs(t, err, fs.ErrNotExist)

	for content, want := range map[string]string{
		"":                                  "kubeconfig " + file + `: its current-context is "", and its contexts are []: set`, // and never the cluster that we run in
		"kind: {":                           `; "transom cluster add" writes one`,
		"users: t0p-s3cret":                 "read kubeconfig " + file,
		"apiVersion: v1\nkind: Secret":      "read kubeconfig " + file + ": it is of another kind than Config",
		"current-context: gone":             "kubeconfig " + file + `: its current-context is "gone"`,
		halfContext:                         `its context "a" names cluster "b" and user "c", which are not both there`,
		strings.Repeat("# long\n", 200_000): "kubeconfig " + file + " is longer than 1Mi",
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := keys.Connect(t.Context(), "prod", false)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.NotContains(t, err.Error(), "s3cret")
	}
	_, err = keys.Connect(t.Context(), "prod", true)
	require.ErrorContains(t, err, "clusters/prod.yaml has inCluster: true, but the daemon runs in no cluster")
}

// TestAContextWithoutAUserIsUsed, as where a proxy beside the daemon logs in.
func TestAContextWithoutAUserIsUsed(t *testing.T) {
	found, err := connect(t, "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: 'http://localhost:8001'}}]\n")
	require.NoError(t, err)
	require.Equal(t, "http://localhost:8001", found.Config.Host)
}

// TestAKubeconfigDoesNoMoreThanIsAllowed: running a program, reading files elsewhere and going past the checks of TLS are refused
// with the flag to allow them.
func TestAKubeconfigDoesNoMoreThanIsAllowed(t *testing.T) {
	replaced := func(old, text string) string {
		require.Contains(t, kubeconfig, old)
		return strings.Replace(kubeconfig, old, text, 1)
	}
	for name, c := range map[string]struct{ content, want string }{
		"exec": {
			replaced("token: t0p-s3cret", "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/aws, interactiveMode: Never}"),
			"runs a program on this machine for its credential (users[].user.exec), which is refused",
		},
		"auth-provider": {replaced("token: t0p-s3cret", "auth-provider: {name: oidc}"), "names a plugin for its credential"},
		"files":         {replaced("certificate-authority: ca.crt", "certificate-authority: /etc/hostname"), "reads /etc/hostname, which is not beside it"},
		"proxy":         {replaced("certificate-authority", `proxy-url: "http://10.0.0.1:3128", certificate-authority`), "goes through a proxy"},
		"insecure-tls":  {replaced("certificate-authority: ca.crt", "insecure-skip-tls-verify: true"), "does not check who the API server is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connect(t, c.content)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "or allow it with --allow-kubeconfig "+name)
			_, err = connect(t, c.content, "exec", "files", "proxy", "insecure-tls", "auth-provider")
			require.NoError(t, err)
		})
	}
	_, err := connect(t, replaced("ca.crt", "../ca.crt"))
	require.ErrorContains(t, err, "which is not beside it")
	plain := strings.Replace(replaced("https:", "http:"), ", certificate-authority: ca.crt", "", 1)
	_, err = connect(t, plain)
	require.ErrorContains(t, err, "does not encrypt")
	_, err = connect(t, strings.Replace(plain, "10.1.2.3", "127.0.0.1", 1))
	require.NoError(t, err, "nobody listens on the way to oneself")

	require.NoError(t, credential.CheckExceptions([]string{"exec"}))
	require.EqualError(t, credential.CheckExceptions([]string{"all"}), `there is no "all"; it takes exec, auth-provider, files, proxy, insecure-tls`)
}

func TestAKubeconfigThatEverybodyReadsIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "prod.kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(kubeconfig, ", certificate-authority: ca.crt", "", 1)), 0o600))
	warning := func() string {
		found, err := credential.Keys{Sources: []credential.Source{credential.Directory(dir)}}.Connect(t.Context(), "prod", false)
		require.NoError(t, err)
		return found.Warning(now)
	}
	require.Empty(t, warning())
	require.NoError(t, os.Chmod(file, 0o644))
	require.Contains(t, warning(), "everybody on the daemon's machine can read or write "+file+" (mode 0644): chmod 600 it")
}

func TestAFileIsReplacedInOneStepAndStaysALink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "prod.kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte("one"), 0o644))
	require.NoError(t, os.Symlink("real", link))
	require.NoError(t, credential.WriteFile(link, []byte("two")))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "two", string(content))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "no draft is left")
	require.Error(t, credential.WriteFile(filepath.Join(dir, "none", "prod.kubeconfig"), nil))
}

func TestTheFirstSourceThatHasAKubeconfigCounts(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	keys := credential.Keys{Sources: []credential.Source{credential.Directory(first), credential.Directory(second)}}
	require.NoError(t, os.WriteFile(filepath.Join(second, "prod.kubeconfig"), []byte(kubeconfig), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(second, "ca.crt"), []byte("cert"), 0o600))
	found, err := keys.Connect(t.Context(), "prod", false)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(second, "prod.kubeconfig"), found.Source)
	require.NoError(t, os.WriteFile(filepath.Join(first, "prod.kubeconfig"), []byte("kind: {"), 0o600))
	_, err = keys.Connect(t.Context(), "prod", false)
	require.ErrorContains(t, err, "read kubeconfig "+first, "a broken one is not passed over")
}
