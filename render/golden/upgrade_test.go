package golden_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/golden"
	"transom.dev/render/platform"
)

// box is one version of an offering: an object of each kind, and one more where the request wants it.
type box struct {
	version string
	extra   string            // the object that comes with the parameter extra
	tests   map[string]string // from the names of requests to their parameters
}

// upgrades loads the versions, of which 1.3.0 is experimental, and returns the Warnings of their cases.
func upgrades(t *testing.T, boxes []box, more string) (said []string) {
	t.Helper()
	var text strings.Builder
	text.WriteString(header("offerings/box/offering.yaml", "Offering", "box") + "spec: {versions: {1.3.0: {lifecycle: experimental}}}\n" + more)
	for _, b := range boxes {
		dir := "offerings/box/" + b.version
		text.WriteString(header(dir+"/version.yaml", "Version", "box") + "spec:\n" +
			"  parameters: {type: object, properties: {extra: {type: boolean, default: false}, mode: {type: string, default: none}}}\n" +
			"  components: [{path: components/extra, when: parameters.extra}]\n")
		const kustomization = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [object.yaml]\n"
		fmt.Fprintf(&text, "-- %s/kustomization.yaml --\n%s-- %s/components/extra/kustomization.yaml --\n%s", dir, kustomization, dir, kustomization)
		fmt.Fprintf(&text, "-- %s/object.yaml --\napiVersion: v1\nkind: Service\nmetadata: {name: box}\nspec: {ports: [{port: 80}]}\n", dir)
		fmt.Fprintf(&text, "-- %s/components/extra/object.yaml --\n%s\n", dir, b.extra)
		for name, parameters := range b.tests {
			fmt.Fprintf(&text, "%sspec: {offering: box, version: \">=1\", parameters: %s, environments: {lab: {}}}\n",
				header(dir+"/tests/"+name+"/request.yaml", "Request", name), parameters)
		}
	}
	files, err := txtar.FS(txtar.Parse([]byte(text.String())))
	require.NoError(t, err)
	p, err := platform.Load(files)
	require.NoError(t, err)
	for _, problem := range p.Problems {
		require.True(t, problem.Warning, problem) // of a lifecycle without a version
	}
	cases, err := golden.Cases(p, files)
	require.NoError(t, err)
	for _, c := range cases {
		require.NotNil(t, c.Got, problemsOf(c.Problems))
		for _, problem := range c.Problems {
			if problem.Warning {
				said = append(said, problem.String())
			}
		}
	}
	return said
}

func header(file, kind, name string) string {
	return fmt.Sprintf("-- %s --\napiVersion: transom.dev/v1alpha1\nkind: %s\nmetadata: {name: %s}\n", file, kind, name)
}

const (
	claim    = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: extra}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"
	settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}"
	headless = "apiVersion: v1\nkind: Service\nmetadata: {name: extra}\nspec: {clusterIP: None, ports: [{port: 80}]}"
)

// TestUpgradesTakeTheCasesOfAllMinorVersionsAlong: a range may jump over versions, and the effect of a version on a request
// may show only in a case that a much earlier one brought.
func TestUpgradesTakeTheCasesOfAllMinorVersionsAlong(t *testing.T) {
	require.Equal(t, []string{
		"offerings/box/1.0.0/tests/mine/request.yaml: warning: moving from 1.1.0 to 1.2.0 removes the PersistentVolumeClaim team/mine-extra: it is left behind, and nothing manages it any more",
	}, upgrades(t, []box{{"1.0.0", claim, map[string]string{"mine": "{extra: true}"}}, {"1.1.0", claim, nil}, {"1.2.0", settings, nil}}, ""))
}

// TestUpgradesAreFromEveryMinorVersion: the cases that a version brings come from each version before, for whoever is
// still there; a step that was told of is not told of again.
func TestUpgradesAreFromEveryMinorVersion(t *testing.T) {
	require.Equal(t, []string{
		"offerings/box/1.2.0/tests/mine/request.yaml: warning: moving from 1.0.0 to 1.2.0 removes the PersistentVolumeClaim team/mine-extra: it is left behind, and nothing manages it any more",
	}, upgrades(t, []box{
		{"1.0.0", claim, nil},
		{"1.1.0", settings, nil},
		{"1.2.0", settings, map[string]string{"mine": "{extra: true}"}},
		{"1.4.0", settings, map[string]string{"mine": "{extra: true, mode: other}"}},
	}, ""))
}

// TestUpgradesPassOverWhatNoRangeComesTo: an object that an experimental version removes, the next that is none removes as
// well.
func TestUpgradesPassOverWhatNoRangeComesTo(t *testing.T) {
	const removed = " removes the PersistentVolumeClaim team/mine-extra: it is left behind, and nothing manages it any more"
	require.ElementsMatch(t, []string{
		"offerings/box/1.2.0/tests/mine/request.yaml: warning: moving from 1.2.0 to 1.3.0" + removed,
		"offerings/box/1.2.0/tests/mine/request.yaml: warning: moving from 1.2.0 to 1.4.0" + removed,
	}, upgrades(t, []box{
		{"1.2.0", claim, map[string]string{"mine": "{extra: true}"}}, {"1.3.0", settings, nil}, {"1.4.0", settings, nil},
	}, ""))
}

// TestUpgradesToAnotherMajorVersionAreFromTheLast alone: somebody takes that step by hand.
func TestUpgradesToAnotherMajorVersionAreFromTheLast(t *testing.T) {
	require.Empty(t, upgrades(t, []box{
		{"1.0.0", claim, nil}, {"1.1.0", settings, nil}, {"2.0.0", settings, map[string]string{"mine": "{extra: true}"}},
	}, ""))
	require.Equal(t, []string{
		"offerings/box/1.0.0/tests/mine/request.yaml: warning: moving from 1.0.0 to 2.0.0 removes the Service team/mine-extra",
	}, upgrades(t, []box{{"1.0.0", headless, map[string]string{"mine": "{extra: true}"}}, {"2.0.0", settings, nil}}, ""))
}

// operator is an offering whose definition of a kind says that a field may not change once it is there.
const operator = `-- offerings/operator/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: operator}
spec: {}
-- offerings/operator/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: operator}
spec: {scope: cluster}
-- offerings/operator/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [crd.yaml]
-- offerings/operator/1.0.0/crd.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1beta1
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations:
            - {rule: oldSelf.deep.class==self.deep.class}
            - {rule: self.size >= oldSelf.size}
            - {rule: self.size == oldSelf.other}
            properties:
              engine: {type: string, x-kubernetes-validations: [{rule: self.size() < 9}, {rule: self == oldSelf, message: cannot change}]}
              size: {type: integer}
              deep: {type: object, properties: {class: {type: string}}}
              zones: {type: array, x-kubernetes-validations: [{rule: oldSelf == self}], items: {type: string, x-kubernetes-validations: [{rule: self == oldSelf}]}}
`

func widget(version, spec string) string {
	return "apiVersion: example.com/" + version + "\nkind: Widget\nmetadata: {name: extra}\nspec: " + spec
}

// TestRulesOfDefinitionsSayWhatCannotChange where the repository has the definition of a custom kind.
func TestRulesOfDefinitionsSayWhatCannotChange(t *testing.T) {
	const before = "{engine: a, size: 1, deep: {class: a}, zones: [a]}"
	for after, want := range map[string]string{
		"{engine: b, size: 1, deep: {class: a}, zones: [a]}":    "spec.engine",
		"{engine: b, size: 2, deep: {class: b}, zones: [a, b]}": "spec.deep.class, spec.engine, spec.zones",
		"{engine: a, size: 2, deep: {class: a}, zones: [a]}":    "",
		"{size: 2}": "", // rules about an old value look at fields that are still there
	} {
		said := upgrades(t, []box{{"1.0.0", widget("v1", before), map[string]string{"mine": "{extra: true}"}}, {"1.1.0", widget("v1", after), nil}}, operator)
		if want == "" {
			require.Empty(t, said, after)
			continue
		}
		require.Equal(t, []string{
			"offerings/box/1.0.0/tests/mine/request.yaml: warning: moving from 1.0.0 to 1.1.0 replaces the Widget team/mine-extra: " + want + " cannot change in place",
		}, said, after)
	}
	require.Empty(t, upgrades(t, []box{
		{"1.0.0", widget("v1beta1", before), map[string]string{"mine": "{extra: true}"}}, {"1.1.0", widget("v1beta1", "{engine: b}"), nil},
	}, operator), "each version of the API has rules of its own")
}

// TestPlanKnowsWhatCustomKindsDoNotLetChange by the definitions that the platform has.
