package platform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

// TestAFileIsParsedOnceForAllItsProblems: a request with a Problem in each of many environments takes about as long to read as one with a
// Problem in one of them. What reading takes is measured by what it allocates.
func TestAFileIsParsedOnceForAllItsProblems(t *testing.T) {
	const environments = 20
	of := func(wrong int) float64 {
		var files, annotations strings.Builder
		for n := range 3000 {
			fmt.Fprintf(&annotations, "k%d: v, ", n)
		}
		text := "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata:\n  name: shop\n  annotations: {" + annotations.String() + "}\nspec:\n  offering: postgres\n  version: \"1\"\n  parameters:\n    storage: 1Gi\n    zones:\n" +
			strings.Repeat("    - {name: a}\n", 3) + "  environments:\n"
		for n := range environments {
			name := fmt.Sprintf("e%d", n)
			fmt.Fprintf(&files, "-- environments/%s.yaml --\napiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: %[1]s}\n"+
				"spec: {state: {url: 'https://git.example.com/acme/%[1]s.git'}, clusters: {matchLabels: {environment: dev}}, namespace: {name: '\"%[1]s\"'}}\n", name)
			replicas := 3
			if n < wrong {
				replicas = 9
			}
			text += fmt.Sprintf("    %s: {parameters: {replicas: %d}}\n", name, replicas)
		}
		archive := txtar.Parse([]byte(files.String()))
		archive.Files = append(archive.Files, txtar.File{Name: "requests/payments/shop.yaml", Data: []byte(text)})
		fsys := repository(t, archive)
		p, err := platform.Load(fsys)
		require.NoError(t, err)
		found := 0
		for _, problem := range p.Problems {
			if problem.Rule != "" && strings.HasSuffix(problem.Field, "parameters.replicas") {
				require.Equal(t, 16+found, problem.Line, problem.String())
				found++
			}
		}
		require.Equal(t, wrong, found, "%v", p.Problems)
		return testing.AllocsPerRun(3, func() {
			_, err := platform.Load(fsys)
			require.NoError(t, err)
		})
	}
	one, all := of(1), of(environments)
	require.Less(t, all, one*1.5, "the file is parsed again")
}
