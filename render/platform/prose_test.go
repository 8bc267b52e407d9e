package platform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTextsOfFilesCannotSteerATerminal: what people wrote for people is cleaned as it is loaded, keeps its lines and its length, and
// stays as it is where nothing in it is hostile.
func TestTextsOfFilesCannotSteerATerminal(t *testing.T) {
	long := strings.Repeat("Größe ✓\tof many lines\n", 500)
	for wrote, want := range map[string]string{
		"gone\x1b[2J \u202etxt\nnext": "gone\ufffd[2J \ufffdtxt\nnext",
		long:                          long,
	} {
		text := fmt.Sprintf("%q", wrote)
		p := load(t, map[string]string{
			"clusters/dev.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: dev, labels: {environment: dev}}\nspec: {state: paused, reason: " + text + "}\n",
			"environments/dev.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\n" +
				"spec: {state: {url: https://git.example.com/dev.git}, clusters: {matchLabels: {environment: dev}}}\n",
			"decisions/dev/hold.yaml":       "apiVersion: transom.dev/v1alpha1\nkind: Hold\nmetadata: {name: hold}\nspec: {reason: " + text + "}\n",
			"decisions/dev/of-nothing.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Hold\nmetadata: {name: of-nothing}\nspec: {offering: " + text + "}\n",
			"policies/bounds.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: bounds}\n" +
				"spec: {action: warn, quotas: [{most: 3, message: " + text + "}]}\n",
			"policies/names.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: names}\n" +
				"spec: {action: warn, validations: [{expression: \"false\", message: " + text + "}]}\n",
			"offerings/web/offering.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: web}\nspec:\n" +
				"  title: " + text + "\n  description: " + text + "\n  owner: " + text + "\n  versions: {1.0.0: {lifecycle: deprecated, reason: " + text + "}}\n",
			"offerings/web/1.0.0/version.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: web}\nspec:\n" +
				"  parameters: {type: object, properties: {size: {type: string, maxLength: 9, description: " + text + "}}}\n",
			"offerings/web/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
		})
		require.Empty(t, p.Problems)
		o := p.Offerings["web"]
		for field, got := range map[string]string{
			"title": o.Title, "description": o.Description, "owner": o.Owner, "why it is deprecated": o.Versions[0].Reason,
			"decision": p.Decisions[0].Reason, "what is held": p.Decisions[1].Offering, "cluster": p.Clusters["dev"].Reason, "quota": p.Policies["bounds"].Quotas[0].Message,
		} {
			require.Equal(t, want, got, field)
		}
		failed, problems, _ := p.Policies["names"].Judge("ConfigMap web", map[string]any{}, 1<<20)
		require.Empty(t, problems)
		require.Equal(t, []string{want}, failed)
		properties := o.Versions[0].Parameters.OpenAPI()["properties"].(map[string]any)
		require.Equal(t, want, properties["size"].(map[string]any)["description"])
	}
}
