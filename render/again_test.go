package render_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// withExamples are the records of a rendered environment whose observed outputs have the examples of their versions, which is what
// rendering without records gives to those that are bound to them.
func withExamples(rendered *render.State, all []*platform.Instance) map[platform.RequestKey]*state.Release {
	records := map[platform.RequestKey]*state.Release{}
	for _, i := range all {
		if len(i.Version.Observed) == 0 {
			continue
		}
		r := rendered.Releases[i.Request.Key].Clone()
		r.Observed = map[string]map[string]state.Observed{}
		for _, c := range i.Clusters {
			r.Observed[c.Name] = map[string]state.Observed{}
			for n, o := range i.Version.Observed {
				r.Observed[c.Name][o.Name] = state.Observed{Value: i.Version.Examples[n]}
			}
		}
		records[i.Request.Key] = r
	}
	return records
}

// withProviders are an instance and all that it is bound to.
func withProviders(all []*platform.Instance, k platform.RequestKey) (some []*platform.Instance) {
	wanted := map[platform.RequestKey]bool{k: true}
	for range all {
		for _, i := range all {
			for _, provider := range i.Bindings {
				wanted[provider] = wanted[provider] || wanted[i.Request.Key]
			}
		}
	}
	for _, i := range all {
		if wanted[i.Request.Key] {
			some = append(some, i)
		}
	}
	return some
}

// TestAgainComesToTheSameBytes, for every placement of an example with bindings, overlays, waves and namespaces.
func TestAgainComesToTheSameBytes(t *testing.T) {
	p, err := platform.Load(os.DirFS("../examples/acme"))
	require.NoError(t, err)
	var renderer, other render.Renderer
	compared := 0
	for name := range p.Environments {
		rendered, err := renderer.Render(p, name, nil)
		require.NoError(t, err)
		records := withExamples(rendered, p.Instances(name))
		for file, content := range rendered.Changes {
			parts := strings.Split(strings.TrimSuffix(file, ".yaml"), "/")
			if parts[0] != "clusters" || parts[3] == "_namespace" {
				continue
			}
			k := platform.RequestKey{Team: parts[2], Name: parts[3]}
			again, err := other.Again(p, name, withProviders(p.Instances(name), k), records, k, parts[1])
			require.NoError(t, err, file)
			require.Equal(t, string(content), string(again.Manifest), file)
			if again.Namespace != nil { // else it is cluster-scoped
				require.Equal(t, string(rendered.Changes[strings.Join(append(parts[:3], "_namespace.yaml"), "/")]), string(again.Namespace), file)
			}
			compared++
		}
		_, err = other.Again(p, name, nil, nil, platform.RequestKey{Team: "nobody", Name: "nothing"}, "nowhere")
		require.ErrorContains(t, err, "no valid request")
	}
	require.Greater(t, compared, 20)
}
