package render_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/e2e/bounded"
	"transom.dev/render"
)

// FuzzRender feeds any text as a request, a version and its kustomization and resource. Whatever they are, the
// neighbour is rendered, everything is rendered the same again, nothing crashes, and it takes little time and memory.
func FuzzRender(f *testing.F) {
	good := common()
	content := func(name string) string { return string(good["offerings/note/1.0.0/"+name].Data) }
	version, kustomization, resource := content("version.yaml"), content("kustomization.yaml"), content("note.yaml")
	plain := string(request("shop", "  environments: {dev: {}}\n"))
	f.Add(plain, version, kustomization, resource)
	for _, bad := range []string{"", "{", "a: &a [*a]\n", "\xff", "- a", "null", "kind: Request\nkind: Request\n", "apiVersion: transom.dev/v1alpha1\n"} {
		f.Add(bad, version, kustomization, resource)
		f.Add(plain, bad, kustomization, resource)
		f.Add(plain, version, bad, resource)
		f.Add(plain, version, kustomization, bad)
	}
	f.Add(plain, version, kustomization+"patches: [{target: {kind: ConfigMap, name: '((a|b){0,30}.{0,30}){0,30}'}, patch: '[{op: copy, from: /data, path: /data/x}]'}]\n", resource)
	f.Add(string(request("shop", "  parameters: {text: \"\\r\\u0085\\u2028\"}\n  environments: {dev: {}}\n")), version, kustomization, resource)
	limits := bounded.Limits{Time: time.Minute, Memory: 2 << 30}
	f.Fuzz(func(t *testing.T, request, version, kustomization, resource string) {
		limits.Run(func() {
			files := common()
			put(files, shopFile, []byte(request))
			put(files, "requests/payments/neighbour.yaml", neighbour)
			for name, text := range map[string]string{
				"version.yaml": version, "kustomization.yaml": kustomization, "note.yaml": resource,
			} {
				put(files, "offerings/note/1.1.0/"+name, []byte(text))
			}
			p := load(t, files)
			first := renderAll(t, p, "dev", nil)
			require.Contains(t, first.Changes, "clusters/dev/payments/neighbour.yaml")
			require.Equal(t, first.Changes, renderAll(t, load(t, files), "dev", nil).Changes)
			base, err := render.ReadBase(commit(nil, first.Changes))
			require.NoError(t, err)
			require.Empty(t, renderAll(t, p, "dev", base).Changes)
		})
	})
}

var neighbour = []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: neighbour}\n" +
	"spec: {offering: note, version: 1.0.0, environments: {dev: {}}}\n")
