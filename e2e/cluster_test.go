package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"transom.dev/fleet/credential"
)

// TestClusterAdd makes two clusters members of a fleet by nothing but "transom cluster add": one has its kubeconfig in a directory,
// the other in a Secret of a management cluster, which here is the first. The rights that it gives are enough, a token is
// renewed while the daemon runs, and a kubeconfig that does not work changes nothing.
func TestClusterAdd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	issued := func(cluster string) string { return filepath.Join(w.fleet, "kubeconfigs", cluster+".kubeconfig") }
	w.keys = t.TempDir()
	w.flags = append(w.flags, "--kubeconfig-secrets", "transom-system", "--management-kubeconfig", issued("one"))
	add := func(cluster string, args ...string) (string, error) {
		return w.ask(append([]string{"cluster", "add", cluster, "--platform", w.clone(), "--kubeconfig", issued(cluster)}, args...)...)
	}
	w.push("without two", map[string]string{"clusters/two.yaml": ""})

	dry, err := add("one", "--out", w.keys, "--dry-run")
	require.NoError(t, err, dry)
	require.Contains(t, dry, "would be granted to ServiceAccount transom-system/transom:\n  namespaces: get, list, watch, create, patch\n")
	require.Contains(t, dry, "kind: ClusterRoleBinding")
	_, err = w.client("one").CoreV1().Namespaces().Get(t.Context(), "transom-system", metav1.GetOptions{})
	require.Error(t, err, "nothing was done")

	said, err := add("one", "--out", w.keys)
	require.NoError(t, err, said)
	require.Contains(t, said, "\ngranted to ServiceAccount transom-system/transom:\n")
	require.Contains(t, said, "  configmaps: get, list, watch, create, patch, delete\n")
	require.Contains(t, said, "  serviceaccounts/token transom in transom-system: create\n")
	require.Contains(t, said, "clusters/one.yaml is there already\n")
	require.NotContains(t, said, "cluster-admin")
	info, err := os.Stat(filepath.Join(w.keys, "one.kubeconfig"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	toSecret := []string{"--label", "environment=prod", "--secret", "transom-system", "--management-kubeconfig", issued("one"), "--lifetime", "1h"}
	said, err = add("two", toSecret...)
	require.NoError(t, err, said)
	require.Contains(t, said, "wrote Secret transom-system/two-kubeconfig with a token until ")
	require.Contains(t, said, "next: commit clusters/two.yaml and merge it")
	w.push("two", nil)
	w.start()
	w.live("shop", "green")

	listed, err := w.ask("cluster", "list", "-o", "json", "--server", w.api)
	require.NoError(t, err, listed)
	var clusters []struct {
		Name, Version string
		Credential    struct {
			User, Source string
			Expires      time.Time
		}
	}
	require.NoError(t, json.Unmarshal([]byte(listed), &clusters))
	require.Len(t, clusters, 2)
	for _, c := range clusters {
		require.Equal(t, "system:serviceaccount:transom-system:transom", c.Credential.User)
		require.Regexp(t, `^v1\.\d+\.\d+$`, c.Version, "a sandbox of `make build` is a release of Kubernetes")
	}
	require.Equal(t, "Secret transom-system/two-kubeconfig", clusters[1].Credential.Source)

	w.renew(issued("one"), clusters[1].Credential.Expires)
	w.refuse(add)
	w.stop()
}

// renew renews the token of each cluster where it is kept, as the daemon does at half of its life, and waits until the daemon uses
// the new ones.
func (w *world) renew(management string, before time.Time) {
	t := w.t
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", management)
	require.NoError(t, err)
	secrets, err := credential.OpenSecrets(config, "transom-system")
	require.NoError(t, err)
	keys := credential.Keys{Sources: []credential.Source{credential.Directory(w.keys), secrets}}
	for _, cluster := range bothClusters {
		c, err := keys.Connect(t.Context(), cluster, false)
		require.NoError(t, err)
		w.eventually("a new token ends later, of which tokens tell the second", func() error {
			if time.Now().Unix() <= c.Issued.Unix() {
				return errors.New("not yet")
			}
			return nil
		})
		late := c.Expires.Add(-time.Second)
		c.Tend(t.Context(), late)
		again, err := keys.Connect(t.Context(), cluster, false)
		require.NoError(t, err)
		require.NotEqual(t, c.Config.BearerToken, again.Config.BearerToken, c.Warning(late))
		require.Empty(t, again.Warning(time.Now()))
	}
	w.eventually("the daemon uses the token of the Secret", func() error {
		s, err := w.status()
		if err != nil {
			return err
		}
		for _, e := range s.Environments {
			for _, c := range e.Clusters {
				if c.Name == "two" && c.Credential.Expires.After(before) {
					return nil
				}
			}
		}
		return errors.New("not yet")
	})
}

// refuse writes a kubeconfig that does not work, and has "transom cluster add" mend it.
func (w *world) refuse(add func(cluster string, args ...string) (string, error)) {
	t := w.t
	t.Helper()
	file := filepath.Join(w.keys, "one.kubeconfig")
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	insecure := bytes.Replace(good, []byte("server: "), []byte("proxy-url: http://10.0.0.1\n    server: "), 1)
	require.NotEqual(t, good, insecure)
	require.NoError(t, credential.WriteFile(file, insecure))
	w.eventually("status names the flag", func() error { return w.warned("one", "--allow-kubeconfig proxy") })
	w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")

	foreign := strings.Replace(string(good), "server: https://127.0.0.1", "server: https://localhost", 1)
	require.NoError(t, credential.WriteFile(file, []byte(foreign)))
	said, err := add("one", "--out", w.keys)
	require.Error(t, err)
	require.Contains(t, said, "one.kubeconfig leads to https://localhost")

	// The rights are the owner's to change: what somebody else wrote stays.
	roles := w.client("one").RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "transom", metav1.GetOptions{})
	require.NoError(t, err)
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"get"}})
	role, err = roles.Update(t.Context(), role, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	said, err = add("one", "--out", w.keys, "--replace")
	require.Error(t, err)
	require.Contains(t, said, "ClusterRole transom is kept by somebody else and differs, so it stays as it is")
	role.Rules = role.Rules[:len(role.Rules)-1]
	_, err = roles.Update(t.Context(), role, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	said, err = add("one", "--out", w.keys, "--replace")
	require.NoError(t, err, said)
	w.eventually("all is well", func() error { return w.warned("one", "") })
	w.push("red", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	w.live("shop", "red")
}
