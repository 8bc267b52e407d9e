package main_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestClustersAreSeparateAndProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one,two", "--api-only")

	uids := map[string]bool{}
	for _, cluster := range []string{"one", "two"} {
		system, err := r.client(t, cluster).CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
		require.NoError(t, err)
		uids[string(system.UID)] = true
	}
	require.Len(t, uids, 2)

	config := r.config(t, "one")
	require.False(t, config.Insecure)
	config.CAData = r.config(t, "two").CAData
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	_, err = client.Discovery().ServerVersion()
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown, "cluster one must not pass for cluster two")
}

func TestStopTakesAClusterAwayAndStartBringsItBack(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one,two", "--api-only")
	one, two := r.client(t, "one"), r.client(t, "two")
	before, err := one.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"one": "ready", "two": "ready"}, states(t, r))

	output, err := r.ask("stop", "one")
	require.NoError(t, err, output)
	_, err = one.Discovery().ServerVersion()
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = two.Discovery().ServerVersion()
	require.NoError(t, err, "the neighbour stays")
	require.Equal(t, map[string]string{"one": "stopped", "two": "ready"}, states(t, r))

	output, err = r.ask("start", "one")
	require.NoError(t, err, output)
	after, err := one.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(t, err, "the same kubeconfig still leads there")
	require.Equal(t, before.UID, after.UID)

	output, err = r.ask("stop", "three")
	require.Error(t, err)
	require.Contains(t, output, `no cluster "three"`)
}

func states(t *testing.T, r *running) map[string]string {
	t.Helper()
	output, err := r.ask("status", "-o", "json")
	require.NoError(t, err, output)
	var all []struct{ Cluster, State string }
	require.NoError(t, json.Unmarshal([]byte(output), &all))
	found := map[string]string{}
	for _, c := range all {
		found[c.Cluster] = c.State
	}
	return found
}

func TestNothingIsLeftAfterSIGTERM(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one", "--api-only")
	require.Len(t, processesOf(r.dir), 3, "the sandbox, etcd and an API server")

	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.cmd.Wait(), "an end that was asked for is no failure")
	requireNothingLeft(t, r.dir)
}

func TestNothingIsLeftWhenTheSandboxIsKilled(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one", "--api-only")

	require.NoError(t, r.cmd.Process.Kill())
	require.Error(t, r.cmd.Wait())
	requireNothingLeft(t, r.dir)
}

func TestNothingIsLeftWhenTheParentIsKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sandbox")
	script := binary + ` up --api-only --clusters=one --dir "$0" & wait`
	r := launch(t, dir, exec.Command("sh", "-c", script, dir))
	r.waitFor(t, "ready after")

	require.NoError(t, r.cmd.Process.Kill())
	require.Error(t, r.cmd.Wait())
	requireNothingLeft(t, dir)
}

func TestNothingIsLeftWhenTheSandboxIsKilledWhileStarting(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sandbox")
	r := launch(t, dir, exec.Command(binary, "up", "--clusters=one,two", "--dir", dir))
	eventually(t, func() error {
		if len(processesOf(dir)) < 3 {
			return errors.New("no API server yet")
		}
		return nil
	})

	require.NoError(t, r.cmd.Process.Kill())
	require.Error(t, r.cmd.Wait())
	requireNothingLeft(t, dir)
}

func TestACrashIsReportedAndStartMendsIt(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one,two", "--api-only")
	server := componentOf(t, filepath.Join(r.dir, "data", "clusters", "one"), "kube-apiserver")

	require.NoError(t, syscall.Kill(server, syscall.SIGKILL))
	r.waitFor(t, "one: kube-apiserver ended by itself (signal: killed); the end of "+r.dir+"/logs/one/kube-apiserver.log:")
	require.Equal(t, map[string]string{"one": "failed", "two": "ready"}, states(t, r))

	output, err := r.ask("start", "one")
	require.NoError(t, err, output)
	require.Equal(t, map[string]string{"one": "ready", "two": "ready"}, states(t, r))
}

func TestWithoutEtcdTheSandboxEnds(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one", "--api-only")

	require.NoError(t, syscall.Kill(componentOf(t, r.dir, "etcd"), syscall.SIGKILL))
	r.waitFor(t, "sandbox: etcd ended by itself (signal: killed)")
	require.Error(t, r.cmd.Wait())
}

func TestUpRefuses(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=one", "--api-only")
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "precious"), nil, 0o644))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a directory in use":      {[]string{"--dir", r.dir}, "a sandbox runs in " + r.dir + " already"},
		"a directory of others":   {[]string{"--dir", foreign}, foreign + " is not empty and no sandbox made it"},
		"a name with a slash":     {[]string{"--dir", t.TempDir(), "--clusters=a/b"}, `"a/b" is no name for a cluster`},
		"a name that comes twice": {[]string{"--dir", t.TempDir(), "--clusters=a,b,a"}, `"a" is named twice`},
		"no directory":            {nil, `required flag(s) "dir" not set`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := exec.Command(binary, append([]string{"up"}, c.args...)...).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(output), c.want)
			require.Equal(t, 1, strings.Count(string(output), "\n"), "one line says it: %s", output)
		})
	}
}

func TestADirectoryCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ports [2]string
	for i := range ports {
		r := launch(t, dir, exec.Command(binary, "up", "--api-only", "--dir", dir, "--clusters", fmt.Sprintf("c%d", i)))
		r.waitFor(t, "ready after")
		ports[i] = r.config(t, fmt.Sprintf("c%d", i)).Host
		require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, r.cmd.Wait())
	}
	require.NoFileExists(t, filepath.Join(dir, "kubeconfigs", "c0.kubeconfig"), "nothing of the first is left")
	require.FileExists(t, filepath.Join(dir, "kubeconfigs", "c1.kubeconfig"))
}
