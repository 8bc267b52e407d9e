package render

import (
	"fmt"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/worker"
)

const (
	bombComponent = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	bombDir       = "offerings/bomb/1.0.0"
)

// bomb is a platform with a version whose builds are replaced by an endless one, a request for it, and a neighbour.
func bomb(t *testing.T) (fstest.MapFS, *platform.Platform) {
	archive, err := txtar.ParseFile("testdata/common.txtar")
	require.NoError(t, err)
	files := fstest.MapFS{}
	for _, f := range archive.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	head := func(kind, name string) string {
		return "apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n"
	}
	put("offerings/bomb/offering.yaml", head("Offering", "bomb")+"spec: {title: Bomb, description: Bomb., owner: platform}\n")
	put(bombDir+"/version.yaml", head("Version", "bomb")+"spec: {}\n")
	put(bombDir+"/kustomization.yaml", bombComponent+"resources: [a.yaml]\n")
	put(bombDir+"/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
	for name, offering := range map[string]string{"victim": "bomb", "neighbour": "note"} {
		put("requests/payments/"+name+".yaml", head("Request", name)+"spec: {offering: "+offering+", version: \"1\", environments: {dev: {}}}\n")
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	return files, p
}

// endless is a Runner for which the bomb has 2^40 components: Guard counts those, but there may be something that it does not
// know.
func endless(run kustomize.Runner) kustomize.Runner {
	return func(j kustomize.Job) ([]*yaml.Node, error) {
		if j.Subject != bombDir {
			return run(j)
		}
		files := maps.Clone(j.Files)
		files[bombDir+"/kustomization.yaml"] = []byte(bombComponent + "resources: [a.yaml]\ncomponents: [c0]\n")
		for n := range 40 {
			files[fmt.Sprintf("%s/c%d/kustomization.yaml", bombDir, n)] = []byte(bombComponent + fmt.Sprintf("components: [../c%d, ../c%d]\n", n+1, n+1))
		}
		files[bombDir+"/c40/kustomization.yaml"] = []byte(bombComponent + "labels: [{pairs: {a: b}}]\n")
		return run(kustomize.Job{Subject: j.Subject, Files: files})
	}
}

var (
	victim    = platform.RequestKey{Team: "payments", Name: "victim"}
	neighbour = platform.RequestKey{Team: "payments", Name: "neighbour"}
)

// TestBuildWithoutEndIsAProblemOfItsVersion: it is ended, a Problem says so, and its neighbour is rendered.
func TestBuildWithoutEndIsAProblemOfItsVersion(t *testing.T) {
	_, p := bomb(t)
	r := &Renderer{run: endless(worker.Run)}
	for range 2 { // the second time it is not tried
		state, err := r.Render(p, "dev", nil)
		require.NoError(t, err)
		require.Contains(t, state.Releases, neighbour)
		require.NotContains(t, state.Releases, victim)
		require.Len(t, state.Problems, 1)
		require.Equal(t, bombDir+"/kustomization.yaml: the build of "+bombDir+" needed more than 8 s of processor time, and was ended; "+
			"what it was to replace stays. Make less of it: fewer components, patches or copies. It is tried again from time to time",
			state.Problems[0].String())
		require.Equal(t, victim, *state.Problems[0].Request)
	}
	require.Len(t, r.Versions(p), 1)
}

// TestNoPassWaitsForABuildWithoutEnd: the neighbour is rendered by the pass that meets it, and a revert by the next one, while
// it is still under way.
func TestNoPassWaitsForABuildWithoutEnd(t *testing.T) {
	files, _ := bomb(t)
	put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	put(bombDir+"/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: another}\n") // which nothing has tried yet
	p, err := platform.Load(files)
	require.NoError(t, err)
	ready := func() {}
	r := &Renderer{Ready: ready, run: endless(worker.Soon(ready))}
	began := time.Now()
	state, err := r.Render(p, "dev", nil)
	require.NoError(t, err)
	require.Contains(t, state.Releases, neighbour)
	require.Len(t, state.Problems, 1)
	require.Contains(t, state.Problems[0].Message, "the build of "+bombDir+" takes longer than others; it goes on")
	require.Less(t, time.Since(began), 30*time.Second)

	delete(files, "requests/payments/victim.yaml")
	reverted, err := platform.Load(files)
	require.NoError(t, err)
	state, err = r.Render(reverted, "dev", nil)
	require.NoError(t, err)
	require.Empty(t, state.Problems)
}
