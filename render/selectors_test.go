package render_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

const keptFile = "clusters/dev/payments/shop.yaml"

// kept is an offering of which a version has a Deployment, a Job and a Service.
func kept(version, spec, annotation string, workloads bool) map[string][]byte {
	dir := "offerings/kept/" + version + "/"
	objects := "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [{port: 80}]}\n"
	if workloads {
		objects += `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop` + annotation + `}
spec:
  selector: {matchLabels: {app: shop}}
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: a, image: a, env: [{name: TEXT, value: text}]}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: shop}
spec:
  template:
    metadata: {labels: {job: shop}}
    spec:
      restartPolicy: Never
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: host, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {job: shop}}}]
      containers: [{name: a, image: a}]
`
	}
	files := map[string][]byte{
		"offerings/kept/offering.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: kept}\nspec: {title: Kept}\n"),
		dir + "version.yaml":           []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: kept}\nspec: {" + spec + "}\n"),
		dir + "objects.yaml":           []byte(objects),
		dir + "kustomization.yaml":     []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [objects.yaml]\n"),
	}
	return files
}

func keptPlatform(t *testing.T, version string, versions ...map[string][]byte) *platform.Platform {
	files := map[string][]byte{shopFile: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\n" +
		"spec: {offering: kept, version: " + version + ", environments: {dev: {}}}\n")}
	for _, v := range versions {
		for name, content := range v {
			files[name] = content
		}
	}
	return with(t, files)
}

// first commits the state that the first renderer made of a platform.
func (r *repository) first(t *testing.T, p *platform.Platform) {
	made := map[platform.RequestKey]*state.Release{shop: {Clusters: map[string]state.Placement{"dev": {}}}}
	rendered, err := r.renderer.Direct(p, "dev", &render.Base{}, render.Direction{Made: made})
	require.NoError(t, err)
	require.Empty(t, rendered.Problems)
	r.files = commit(fstest.MapFS{}, rendered.Changes)
	for name, file := range r.files {
		text := string(file.Data)
		if at := strings.Index(text, "      renderer: "); at >= 0 {
			end := at + strings.Index(text[at:], "\n") + 1
			r.files[name] = &fstest.MapFile{Data: []byte(text[:at] + text[end:])}
		}
	}
}

// identities are the fields that have the identity, as lines of the manifest with the fields they are below.
func identities(manifest []byte) (found []string) {
	var path [12]string
	kind := ""
	for line := range strings.Lines(string(manifest)) {
		text := strings.TrimLeft(line, " ")
		depth := (len(line) - len(text)) / 2
		if strings.HasPrefix(text, "- ") {
			depth++
		}
		key, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(text, "- ")), ": ")
		path[depth] = strings.TrimSuffix(key, ":")
		if depth == 0 && key == "kind" {
			kind = value
		}
		if key == "transom.dev/request" && path[0] != "metadata" {
			found = append(found, kind+" "+strings.Join(path[1:depth], "."))
		}
	}
	return found
}

func (r *repository) release(t *testing.T) *state.Release {
	base, err := render.ReadBase(r.files)
	require.NoError(t, err)
	return base.Releases[shop]
}

// TestImmutableSelectorsAreKept: an object that the first renderer made under verbatim names has the identity where nobody
// can change it, and keeps it there with every revision until the object is gone from one. A field that can be changed is
// made as it is written.
func TestImmutableSelectorsAreKept(t *testing.T) {
	v1, v2 := kept("1.0.0", "names: verbatim", "", true), kept("1.1.0", "names: verbatim", ", annotations: {note: b}", true)
	v3, v4 := kept("1.2.0", "names: verbatim", "", false), kept("1.3.0", "names: verbatim", ", annotations: {note: c}", true)
	repo := &repository{}
	repo.first(t, keptPlatform(t, "1.0.0", v1, v2, v3, v4))
	everywhere := []string{"Service selector", "Deployment selector.matchLabels", "Deployment template.metadata.labels", "Job template.metadata.labels"}
	require.Equal(t, everywhere, identities(repo.files[keptFile].Data))
	require.Empty(t, repo.render(t, keptPlatform(t, "1.0.0", v1, v2, v3, v4), "dev").Changes, "what runs is not rendered anew")

	state := repo.render(t, keptPlatform(t, "1.1.0", v1, v2, v3, v4), "dev")
	require.Empty(t, state.Problems)
	require.Equal(t, everywhere[1:], identities(state.Changes[keptFile]))
	require.Equal(t, "Deployment shop: identity, Job shop: template", state.Releases[shop].Clusters["dev"].Selectors)

	restored := repo.files
	repo.render(t, keptPlatform(t, "1.2.0", v1, v2, v3, v4), "dev")
	require.Empty(t, repo.release(t).Clusters["dev"].Selectors)
	anew := repo.render(t, keptPlatform(t, "1.3.0", v1, v2, v3, v4), "dev")
	require.Empty(t, identities(anew.Changes[keptFile]))
	require.Empty(t, anew.Releases[shop].Clusters["dev"].Selectors)

	repo.files = restored
	state = repo.render(t, keptPlatform(t, "1.3.0", v1, v2, v3, v4), "dev")
	require.Equal(t, everywhere[1:], identities(state.Changes[keptFile]), "and so does the next revision")
	require.Equal(t, "Deployment shop: identity, Job shop: template", state.Releases[shop].Clusters["dev"].Selectors)
}

// TestSelectorsWithoutIdentityAreKept: the other way round.
func TestSelectorsWithoutIdentityAreKept(t *testing.T) {
	v1, v2 := kept("1.0.0", "", ", annotations: {transom.dev/selectors: as-written}", true), kept("1.1.0", "", "", true)
	repo := &repository{}
	repo.render(t, keptPlatform(t, "1.0.0", v1, v2), "dev")
	state := repo.render(t, keptPlatform(t, "1.1.0", v1, v2), "dev")
	require.Empty(t, state.Problems)
	require.Equal(t, []string{
		"Service selector", "Deployment template.metadata.labels", "Job template.metadata.labels",
		"Job template.spec.topologySpreadConstraints.labelSelector.matchLabels",
	}, identities(state.Changes[keptFile]))
	require.Equal(t, "Deployment shop-shop: as-written", state.Releases[shop].Clusters["dev"].Selectors)
}

// TestJobsAreKept: the template of a Job that the first renderer made is not changed by the labels that go into templates
// since.
func TestJobsAreKept(t *testing.T) {
	v1, v2 := kept("1.0.0", "", "", true), kept("1.1.0", "", ", annotations: {note: b}", true)
	repo := &repository{}
	repo.first(t, keptPlatform(t, "1.0.0", v1, v2))
	state := repo.render(t, keptPlatform(t, "1.1.0", v1, v2), "dev")
	require.Equal(t, []string{
		"Service selector", "Deployment selector.matchLabels", "Deployment template.metadata.labels", "Job template.metadata.labels",
	}, identities(state.Changes[keptFile]))
	require.Equal(t, "Job shop-shop: template", state.Releases[shop].Clusters["dev"].Selectors)
}

// TestMadeAgain: from its record alone, a manifest is made again as it was made.
func TestMadeAgain(t *testing.T) {
	v1, v2 := kept("1.0.0", "names: verbatim", "", true), kept("1.1.0", "names: verbatim", ", annotations: {note: b}", true)
	repo := &repository{}
	repo.first(t, keptPlatform(t, "1.0.0", v1, v2))
	for _, version := range []string{"1.0.0", "1.1.0"} {
		p := keptPlatform(t, version, v1, v2)
		repo.render(t, p, "dev")
		var fresh render.Renderer
		made := map[platform.RequestKey]*state.Release{shop: repo.release(t)}
		rendered, err := fresh.Direct(p, "dev", &render.Base{}, render.Direction{Made: made})
		require.NoError(t, err)
		require.Equal(t, string(repo.files[keptFile].Data), string(rendered.Changes[keptFile]), version)
	}
}

// TestSelectorsWithoutBytes: where the base has no bytes any more, its record says which selectors were kept. Where they
// cannot be read, nothing is rendered.
func TestSelectorsWithoutBytes(t *testing.T) {
	v1, v2, v3 := kept("1.0.0", "names: verbatim", "", true), kept("1.1.0", "names: verbatim", ", annotations: {note: b}", true), kept("1.2.0", "names: verbatim", "", true)
	repo := &repository{}
	repo.first(t, keptPlatform(t, "1.0.0", v1, v2, v3))
	repo.render(t, keptPlatform(t, "1.1.0", v1, v2, v3), "dev")
	base, err := render.ReadBase(unreadable{repo.files})
	require.NoError(t, err)
	var fresh render.Renderer
	_, err = fresh.Render(keptPlatform(t, "1.2.0", v1, v2, v3), "dev", base)
	require.ErrorContains(t, err, "render dev: read "+keptFile+": must not be read")

	base.Files = without{repo.files, keptFile}
	state, err := fresh.Render(keptPlatform(t, "1.2.0", v1, v2, v3), "dev", base)
	require.NoError(t, err)
	require.Equal(t, "Deployment shop: identity, Job shop: template", state.Releases[shop].Clusters["dev"].Selectors)
}

// without lacks a file.
type without struct {
	fs.FS
	file string
}

func (w without) Open(name string) (fs.File, error) {
	if name == w.file {
		return nil, errors.Join(fs.ErrNotExist)
	}
	return w.FS.Open(name)
}
