package kustomize_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// trap is a server on a port that nobody may call.
func trap(t *testing.T) (address string, calls func() int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var count int
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			count++
			mu.Unlock()
			_ = conn.Close()
		}
	}()
	return listener.Addr().String(), func() int {
		_ = listener.Close()
		<-ended
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// marks puts programs that Kustomize might start into PATH, each of which leaves a file when it runs.
func marks(t *testing.T) (dir string) {
	dir = t.TempDir()
	bin := t.TempDir()
	for _, name := range []string{"git", "helm", "sh-plugin", "go"} {
		script := fmt.Sprintf("#!/bin/sh\n: > %s\n", filepath.Join(dir, name))
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755))
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return dir
}

// remotes are kustomizations that fetch or start something when they reach Kustomize; URL stands for the trap.
var remotes = map[string]string{
	"resources":             "resources: [URL/a.yaml]",
	"resources in capitals": "RESOURCES: [URL/a.yaml]",
	"resources from git":    "resources: ['URL/repo//dir?ref=main']",
	"resources from a file": "resources: ['file:///nowhere/repo//dir']",
	"resources over ssh":    "resources: ['ssh://git@HOST/repo//dir']",
	"components":            "components: [URL/repo//dir]",
	"components over scp":   "components: ['git@HOST:repo']",
	"bases":                 "bases: [URL/repo//dir]",
	"patches":               "patches: [{path: URL/p.yaml, target: {kind: Service}}]",
	"patchesJson6902":       "patchesJson6902: [{path: URL/p.yaml, target: {version: v1, kind: Service, name: a}}]",
	"patchesStrategicMerge": "patchesStrategicMerge: [URL/p.yaml]",
	"replacements":          "replacements: [{path: URL/r.yaml}]",
	"config map files":      "configMapGenerator: [{name: a, files: [URL/f]}]",
	"config map named file": "configMapGenerator: [{name: a, files: ['key=URL/f']}]",
	"config map envs":       "configMapGenerator: [{name: a, envs: [URL/e]}]",
	"config map env":        "configMapGenerator: [{name: a, env: URL/e}]",
	"secret files":          "secretGenerator: [{name: a, files: [URL/f]}]",
	"secret envs":           "secretGenerator: [{name: a, envs: [URL/e]}]",
	"crds":                  "crds: [URL/c.json]",
	"configurations":        "configurations: [URL/c.yaml]",
	"openapi":               "openapi: {path: URL/o.json}",
	"generators":            "generators: [URL/g.yaml]",
	"transformers":          "transformers: [URL/t.yaml]",
	"validators":            "validators: [URL/v.yaml]",
	"helm charts":           "helmCharts: [{name: a, repo: URL, version: '1'}]",
	"helm inflation":        "helmChartInflationGenerator: [{chartName: a, chartRepoUrl: URL}]",
}

// TestNothingLeavesAndNothingStarts renders every way to make Kustomize fetch or run something. The guard refuses each,
// no connection is made and no program runs.
func TestNothingLeavesAndNothingStarts(t *testing.T) {
	address, calls := trap(t)
	started := marks(t)
	for name, text := range remotes {
		text = strings.NewReplacer("URL", "http://"+address, "HOST", address).Replace(text)
		tree := tree(map[string]string{
			"kustomization.yaml":        component + "components: [nested]\n",
			"nested/kustomization.yaml": component + text + "\n",
		})
		require.NotEmpty(t, kustomize.Guard(tree), name)
	}
	require.Zero(t, calls(), "connections")
	left, err := os.ReadDir(started)
	require.NoError(t, err)
	require.Empty(t, left, "programs started")
}

// TestTheTrapCatches shows that the traps of the test above are real: without the guard, Kustomize does fetch and does
// start git.
func TestTheTrapCatches(t *testing.T) {
	address, calls := trap(t)
	started := marks(t)
	for _, text := range []string{"resources: [http://" + address + "/a.yaml]", "components: ['ssh://git@localhost/repo//dir']"} {
		_, err := kustomize.Build(wrapper(nil, tree(map[string]string{"kustomization.yaml": component + text + "\n"})))
		require.Error(t, err)
	}
	require.NotZero(t, calls())
	require.FileExists(t, filepath.Join(started, "git"))
}
