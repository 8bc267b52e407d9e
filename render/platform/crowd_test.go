package platform_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestSchemasHaveAnAllowanceForAllRequests: defaults and rules that take little of one request, and very much of all, are refused by number
// where there are that many requests, before they are filled in. A version that runs may take more, so that this is known with the rest of
// an instance.
func TestSchemasHaveAnAllowanceForAllRequests(t *testing.T) {
	schemas := map[string]string{
		"fills in more than %d fields and items by its defaults": "{type: object, properties: {text: {type: string}, list: {type: array, items: {type: integer}, default: [" + strings.Repeat("1,", 5000) + "]}}}",
		"has rules that take more than %d steps of CEL": "{type: object, properties: {text: {type: string, default: x}}, x-kubernetes-validations: [{message: never, rule: '" +
			strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 4) + `self.text != ""` + strings.Repeat(")", 4) + "'}]}",
	}
	numbers := map[string][3]int{
		"fills in more than %d fields and items by its defaults": {0, 4006, 2 * 1076},
		"has rules that take more than %d steps of CEL":          {0, 39362, 0},
	}
	for says, schema := range schemas {
		for n, count := range []int{1, 129, 513} { // the least that count as 256 and 1,024
			if n == 2 && strings.Contains(says, "rules") {
				continue // it takes as long as all of them may
			}
			files := fstest.MapFS{}
			put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
			put("environments/dev.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  state: {url: https://git.example.com/dev.git, branch: main}\n  clusters: {matchLabels: {a: b}}\n")
			put("clusters/one.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: one, labels: {a: b}}\nspec: {}\n")
			put("offerings/note/offering.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: note}\nspec: {title: A, description: B., owner: c}\n")
			put("offerings/note/1.0.0/version.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec:\n  parameters: "+schema+"\n")
			put("offerings/note/1.0.0/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [map.yaml]\n")
			put("offerings/note/1.0.0/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: b}\n")
			for i := range count {
				put(fmt.Sprintf("requests/payments/r%d.yaml", i), fmt.Sprintf("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: r%d}\nspec: {offering: note, version: \"1\", environments: {dev: {}}}\n", i))
			}
			p, err := platform.Load(files)
			require.NoError(t, err)
			want := fmt.Sprintf("offerings/note/1.0.0/version.yaml: spec.parameters: "+says, numbers[says][n])
			switch n {
			case 0:
				require.Empty(t, p.Problems)
				require.Empty(t, p.Instances("dev")[0].Long)
			case 1:
				require.Empty(t, p.Problems)
				require.Contains(t, p.Instances("dev")[0].Long[0].String(), want+", as much as each request may take by how many there are; let it do less")
			case 2:
				require.Empty(t, p.Instances("dev"))
				require.Len(t, p.Problems, count)
				require.Contains(t, p.Problems[0].String(), want)
			}
		}
	}
}

// An offering that few request may take more than one that everybody requests, and the requests of others take nothing of it.
func TestAnOfferingOfFewRequestsMayTakeMore(t *testing.T) {
	files := fstest.MapFS{}
	put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	put("environments/dev.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  state: {url: https://git.example.com/dev.git, branch: main}\n  clusters: {matchLabels: {a: b}}\n")
	put("clusters/one.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: one, labels: {a: b}}\nspec: {}\n")
	for offering, schema := range map[string]string{
		"note": "{type: object}", "book": "{type: object, properties: {list: {type: array, items: {type: integer}, default: [" + strings.Repeat("1,", 5000) + "]}}}",
	} {
		at := "offerings/" + offering
		put(at+"/offering.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: "+offering+"}\nspec: {title: A, description: B., owner: c}\n")
		put(at+"/1.0.0/version.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: "+offering+"}\nspec:\n  parameters: "+schema+"\n")
		put(at+"/1.0.0/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [map.yaml]\n")
		put(at+"/1.0.0/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: b}\n")
	}
	request := func(name, offering string) {
		put("requests/payments/"+name+".yaml", "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: "+name+"}\nspec: {offering: "+offering+", version: \"1\", environments: {dev: {}}}\n")
	}
	for i := range 600 {
		request(fmt.Sprintf("n%d", i), "note")
	}
	request("b", "book")
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	require.Empty(t, p.Instances("dev")[0].Long)

	for i := range 600 {
		request(fmt.Sprintf("n%d", i), "book")
	}
	p, err = platform.Load(files)
	require.NoError(t, err)
	require.Len(t, p.Problems, 601)
}
