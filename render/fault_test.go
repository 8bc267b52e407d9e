package render_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
)

// A trap is a directory that nobody can open without a panic.
type trap struct{}

func (trap) Open(string) (fs.File, error) { panic("the trap is sprung") }

// TestFaultOfOneInstanceIsItsProblem: a panic while one instance is rendered costs that instance its update, and neither its
// neighbours nor the process.
func TestFaultOfOneInstanceIsItsProblem(t *testing.T) {
	const version = "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: bad}\nspec: {}\n"
	p := with(t, map[string][]byte{
		"offerings/bad/offering.yaml":            []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: bad}\nspec: {title: T}\n"),
		"offerings/bad/1.0.0/version.yaml":       []byte(version),
		"offerings/bad/1.0.0/kustomization.yaml": []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: []\n"),
		"requests/payments/victim.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: victim}\n" +
			"spec:\n  offering: bad\n  version: \"1\"\n  environments: {dev: {}}\n"),
		shopFile: request("shop", "  environments: {dev: {}}\n"),
	})
	p.Offerings["bad"].Versions[0].Files = trap{}
	steps := make(chan struct{}, 10)
	r := render.Renderer{Stepped: func() { steps <- struct{}{} }}
	for range 2 {
		state, err := r.Render(p, "dev", nil)
		require.NoError(t, err)
		require.Contains(t, state.Releases, shop)
		require.Len(t, state.Problems, 1)
		require.Regexp(t, `^requests/payments/victim.yaml: rendering it came upon a fault of Transom, which is worth a report: `+
			`the trap is sprung, at transom.dev/render_test.trap.Open \(fault_test.go:\d+\); it keeps what it has$`, state.Problems[0])
	}
	require.NotEmpty(t, steps)
}
