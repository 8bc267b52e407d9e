package render

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
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
func bomb(t *testing.T) (files fstest.MapFS, load func() *platform.Platform) {
	archive, err := txtar.ParseFile("testdata/common.txtar")
	require.NoError(t, err)
	files = fstest.MapFS{}
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
	put(bombDir+"/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n")
	for name, offering := range map[string]string{"victim": "bomb", "neighbour": "note"} {
		put("requests/payments/"+name+".yaml", head("Request", name)+"spec: {offering: "+offering+", version: \"1\", environments: {dev: {}}}\n")
	}
	var loader platform.Loader // a version that stays as it is stays the same one
	return files, func() *platform.Platform {
		p, err := loader.Load(files)
		require.NoError(t, err)
		require.Empty(t, p.Problems)
		return p
	}
}

// familiar is a renderer that has seen the neighbour of the bomb, and the platform with both.
func familiar(t *testing.T) (*Renderer, fstest.MapFS, func() *platform.Platform) {
	files, load := bomb(t)
	asked := files["requests/payments/victim.yaml"]
	delete(files, "requests/payments/victim.yaml")
	r := new(Renderer)
	state, err := r.Render(load(), "dev", nil)
	require.NoError(t, err)
	require.Contains(t, state.Releases, neighbour)
	files["requests/payments/victim.yaml"] = asked
	return r, files, load
}

// endless is a Runner for which the bomb has 2^40 components: Guard counts those, but there may be something that it does not
// know.
func endless(run kustomize.Runner) kustomize.Runner {
	files := map[string]string{"": "components: [c0]\n", "c40/": "labels: [{pairs: {a: b}}]\n"}
	for n := range 40 {
		files[fmt.Sprintf("c%d/", n)] = fmt.Sprintf("components: [../c%d, ../c%d]\n", n+1, n+1)
	}
	return bombing(run, files)
}

// boundless is a Runner for which the bomb doubles an object forty times. It is ended sooner than an endless one.
func boundless(run kustomize.Runner) kustomize.Runner {
	return bombing(run, map[string]string{"": "replacements:\n" + strings.Repeat("- {source: {kind: ConfigMap, fieldPath: data}, "+
		"targets: [{select: {kind: ConfigMap}, fieldPaths: [data.x, data.y], options: {create: true}}]}\n", 40)})
}

// bombing is a Runner for which the bomb has more in its components, by their folder.
func bombing(run kustomize.Runner, more map[string]string) kustomize.Runner {
	return func(j kustomize.Job) ([]*yaml.Node, error) {
		if j.Subject != bombDir {
			return run(j)
		}
		files := maps.Clone(j.Files)
		for folder, text := range more {
			if folder == "" {
				text = "resources: [a.yaml]\n" + text
			}
			files[bombDir+"/"+folder+"kustomization.yaml"] = []byte(bombComponent + text)
		}
		return run(kustomize.Job{Subject: j.Subject, Files: files})
	}
}

var (
	victim    = platform.RequestKey{Team: "payments", Name: "victim"}
	neighbour = platform.RequestKey{Team: "payments", Name: "neighbour"}
)

// TestBuildWithoutEndIsAProblemOfItsVersion: it is ended, a Problem says so, and its neighbour is rendered.
func TestBuildWithoutEndIsAProblemOfItsVersion(t *testing.T) {
	_, load := bomb(t)
	p, r := load(), &Renderer{run: boundless(worker.Run)}
	for range 2 { // the second time it is not tried
		state, err := r.Render(p, "dev", nil)
		require.NoError(t, err)
		require.Contains(t, state.Releases, neighbour)
		require.NotContains(t, state.Releases, victim)
		require.Len(t, state.Problems, 1)
		require.Equal(t, bombDir+"/kustomization.yaml: the build of "+bombDir+" needed more than 512 MiB of memory, and was ended; "+
			"what it was to replace stays. Make less of it: fewer components, patches or copies. It is tried again from time to time",
			state.Problems[0].String())
		require.Equal(t, victim, *state.Problems[0].Request)
	}
	require.Len(t, r.Versions(p), 1)
}

// TestNoPassWaitsForABuildWithoutEnd: the neighbour is rendered by the pass that meets it, and a revert by the next one, while
// it is still under way.
func TestNoPassWaitsForABuildWithoutEnd(t *testing.T) {
	r, files, load := familiar(t)
	files[bombDir+"/a.yaml"].Data = []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: another}\n") // which nothing has tried yet
	r.Ready = func() {}
	r.run = endless(worker.Soon(r.Ready))
	began := time.Now()
	state, err := r.Render(load(), "dev", nil)
	require.NoError(t, err)
	require.Contains(t, state.Releases, neighbour)
	require.Len(t, state.Problems, 1)
	require.Regexp(t, "^(the build of "+bombDir+" takes longer than others; it|takes longer to examine than others; that) goes on", state.Problems[0].Message)
	require.Less(t, time.Since(began), 30*time.Second)

	delete(files, "requests/payments/victim.yaml")
	state, err = r.Render(load(), "dev", nil)
	require.NoError(t, err)
	require.Empty(t, state.Problems)
}

// TestNoPassWaitsForAVersionThatTakesLongToExamine: its requests keep their manifests, the neighbour is rendered, and the
// examination is over once for all.
func TestNoPassWaitsForAVersionThatTakesLongToExamine(t *testing.T) {
	r, _, load := familiar(t)
	p := load()
	goOn, ready, jobs := make(chan struct{}), make(chan struct{}, 1), atomic.Int64{}
	r.Ready = func() { ready <- struct{}{} }
	r.run = func(j kustomize.Job) ([]*yaml.Node, error) {
		if j.Subject == bombDir {
			jobs.Add(1)
			<-goOn
		}
		return worker.Run(j)
	}
	for range 2 {
		state, err := r.Render(p, "dev", nil)
		require.NoError(t, err)
		require.Contains(t, state.Releases, neighbour)
		require.NotContains(t, state.Releases, victim)
		require.Len(t, state.Problems, 1)
		require.Equal(t, bombDir+"/kustomization.yaml: takes longer to examine than others; that goes on, and the request keeps what it has until then",
			state.Problems[0].String())
	}
	require.EqualValues(t, 1, jobs.Load())
	close(goOn)
	<-ready
	state, err := r.Render(p, "dev", nil)
	require.NoError(t, err)
	require.Empty(t, state.Problems)
	require.Contains(t, state.Releases, victim)
}

// TestFaultOfAnExaminationIsAProblem of the requests of its version, and ends no daemon.
func TestFaultOfAnExaminationIsAProblem(t *testing.T) {
	r, _, load := familiar(t)
	r.Ready = func() {}
	r.run = func(j kustomize.Job) ([]*yaml.Node, error) {
		if j.Subject == bombDir {
			panic("boom")
		}
		return worker.Run(j)
	}
	state, err := r.Render(load(), "dev", nil)
	require.NoError(t, err)
	require.Contains(t, state.Releases, neighbour)
	require.Len(t, state.Problems, 1)
	require.Contains(t, state.Problems[0].Message, "examining it came upon a fault of Transom, which is worth a report: boom, at ")
}
