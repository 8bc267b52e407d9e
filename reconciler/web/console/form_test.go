package console_test

import (
	"fmt"
	"html"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render"
	"transom.dev/render/platform"
)

var (
	input   = regexp.MustCompile(`name="p\.([^"]+)"`)
	written = regexp.MustCompile(`(?s)<pre id="yaml"[^>]*>(.*?)</pre>`)
)

// TestAFormOfEveryOfferingMakesAFileThatLoads: filled with what the example's own requests say in an environment, the form of each
// version that they ask for makes a file without a Problem, which says the same; and all of them render, as "transom check" has them.
func TestAFormOfEveryOfferingMakesAFileThatLoads(t *testing.T) {
	p, files := acme(t)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	get := serve(console.Options{Board: b})
	type form struct {
		environment string
		key         platform.RequestKey
	}
	wanted, tried := map[form]map[string]any{}, map[string]bool{}
	for _, request := range p.Requests() {
		tried[request.Spec.Offering] = true
		for environment := range request.Spec.Environments {
			in := instance(p, environment, request.Key)
			require.NotNil(t, in, "%s in %s", request.Key, environment)
			key := platform.RequestKey{Team: request.Key.Team, Name: fmt.Sprintf("more-%d", len(wanted))}
			query := url.Values{"team": {key.Team}, "name": {key.Name}, "environment": {environment}, "version": {in.Version.Number.String()}}
			_, empty := get(t, "/catalog/"+request.Spec.Offering+"/new?version="+in.Version.Number.String())
			for _, field := range input.FindAllStringSubmatch(empty, -1) {
				if value := at(in.Parameters, strings.Split(html.UnescapeString(field[1]), ".")); value != nil {
					query.Set("p."+field[1], filled(t, value))
				}
			}
			_, body := get(t, "/catalog/"+request.Spec.Offering+"/new?"+query.Encode())
			require.Contains(t, body, "Make the file at the forge", "%s in %s", request.Key, environment)
			files[key.File()] = &fstest.MapFile{Data: []byte(html.UnescapeString(written.FindStringSubmatch(body)[1]))}
			wanted[form{environment, key}] = in.Parameters
		}
		maps.DeleteFunc(files, func(name string, _ *fstest.MapFile) bool { // those of the forms take its place, and what policies allow the team
			return strings.HasPrefix(name, strings.TrimSuffix(request.Key.File(), "yaml"))
		})
	}
	require.Equal(t, slices.Sorted(maps.Keys(p.Offerings)), slices.Sorted(maps.Keys(tried)), "an offering of the example has no request")
	again, err := platform.Load(files)
	require.NoError(t, err)
	require.Equal(t, p.Problems, again.Problems)
	for one, parameters := range wanted {
		made := instance(again, one.environment, one.key)
		require.NotNil(t, made, one.key)
		require.Equal(t, parameters, made.Parameters, one.key)
	}
	r := render.Renderer{Unwritten: true}
	for environment := range again.Environments {
		rendered, err := r.Render(again, environment, &render.Base{})
		require.NoError(t, err)
		for _, found := range rendered.Problems {
			sealed := strings.HasSuffix(found.File, ".secret.yaml") && strings.Contains(found.Message, "transom secret set") // a form takes no passwords
			require.True(t, found.Warning || sealed, found.String())
		}
	}
}

// instance is that of a request; nil: it has none.
func instance(p *platform.Platform, environment string, key platform.RequestKey) *platform.Instance {
	for _, in := range p.Instances(environment) {
		if in.Request.Key == key {
			return in
		}
	}
	return nil
}

// acme is the platform of the example, and its files.
func acme(t *testing.T) (*platform.Platform, fstest.MapFS) {
	t.Helper()
	files, example := fstest.MapFS{}, os.DirFS("../../../examples/acme")
	require.NoError(t, fs.WalkDir(example, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(example, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	}))
	p, err := platform.Load(files)
	require.NoError(t, err)
	return p, files
}

// at is the value at a path; nil: there is none.
func at(values map[string]any, path []string) any {
	for _, name := range path[:len(path)-1] {
		values, _ = values[name].(map[string]any)
	}
	return values[path[len(path)-1]]
}

// filled is a value as people fill it in.
func filled(t *testing.T, value any) string {
	t.Helper()
	if text, ok := value.(string); ok {
		return text
	}
	text, err := yaml.Marshal(value)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

// TestAFormTellsConditionsAndExamples: at each parameter the rules that it is a part of, the optional parts of the version that depend on it, and
// a value that it takes where its type does not say it; the page of the offering tells the same.
func TestAFormTellsConditionsAndExamples(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", offering(t, fstest.MapFS{
		"offerings/web/2.0.0/version.yaml": {Data: []byte(`apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: web}
spec:
  parameters:
    type: object
    properties:
      image: {type: string, pattern: '^.+:.+$'}
      tls: {type: string, pattern: '^x+$', example: xxx}
      size: {type: string, pattern: '^s$', default: s}
      cache:
        type: object
        properties:
          mib: {type: integer}
          ttl: {type: string}
        x-kubernetes-validations:
        - {rule: "!has(self.ttl) || has(self.mib)", message: a cache that forgets has a size}
      backup: {type: boolean, default: false}
    x-kubernetes-validations:
    - {rule: "!has(self.tls) || self.image != 'none:0'"}
  components:
  - {path: parts/backup, when: parameters.backup}
`)},
		"offerings/web/2.0.0/kustomization.yaml":              {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")},
		"offerings/web/2.0.0/config.yaml":                     {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
		"offerings/web/2.0.0/parts/backup/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")},
	}))
	get := serve(console.Options{Board: b, Sample: func(schema map[string]any) any {
		require.NotEmpty(t, schema["pattern"])
		return "shop:1.0"
	}})
	_, body := get(t, "/catalog/web/new?version=2.0.0")
	fields := map[string]string{}
	for _, one := range strings.Split(body, `<label class="field" for="f-`)[1:] {
		name, rest, _ := strings.Cut(one, `"`)
		fields[name] = html.UnescapeString(rest)
	}
	const rule, cache, part = "!has(self.tls) || self.image != 'none:0'", "a cache that forgets has a size", "the part parts/backup is there when parameters.backup"
	for name, conditions := range map[string][]string{"image": {rule}, "tls": {rule}, "cache.mib": {cache}, "cache.ttl": {cache}, "backup": {part}, "size": nil} {
		for _, text := range []string{rule, cache, part} {
			require.Equal(t, slices.Contains(conditions, text), strings.Contains(fields[name], `<span class="condition">`+text+`</span>`), "%s: %s", name, text)
		}
	}
	require.Contains(t, fields["image"], `such as <code>shop:1.0</code>`)
	require.NotContains(t, body, `<ul class="rules`, "each is told at a field")
	require.Contains(t, fields["tls"], `such as <code>xxx</code>`)
	require.Contains(t, fields["size"], `placeholder="default: s"`)
	require.NotContains(t, fields["cache.ttl"], "such as")
	_, body = get(t, "/catalog/web?version=2.0.0")
	body = html.UnescapeString(body)
	for _, want := range []string{"<li>" + cache + "</li>", "<li>" + rule + "</li>", "such as <code>xxx</code>"} {
		require.Contains(t, body, want)
	}
}

// TestAPlanOfADraftStaysWhileStatesMove: a page that is open has no plan made again, but says that it is old, and offers a newer one.
func TestAPlanOfADraftStaysWhileStatesMove(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	var asked []string
	failed := false
	get := serve(console.Options{
		Board: b, Person: func(*http.Request) console.Person {
			return console.Person{In: func(team string) bool { return team == "store" }}
		},
		PlanDraft: func(_ *http.Request, team string, d api.Draft) (console.PlanOfDraft, error) {
			require.Equal(t, "store", team)
			require.Equal(t, "requests/store/till.yaml", d.File)
			require.Contains(t, d.Content, "image: a:1")
			asked = append(asked, d.Asked)
			return console.PlanOfDraft{Plan: api.Plan{Platform: "77de09f2c1ab", Markdown: "x", Failed: failed, Made: time.Now()}, HTML: "<p>made</p>"}, nil
		},
	})
	const form = "/catalog/web/new?team=store&name=till&environment=dev&p.image=a:1"
	button := regexp.MustCompile(`id="make-plan" form="ask" name="plan" value="([0-9a-f]{12})"`)
	_, body := get(t, form)
	require.Empty(t, asked)
	first := button.FindStringSubmatch(body)[1]
	_, body = get(t, form+"&plan="+first)
	require.Contains(t, body, "<p>made</p>")
	require.NotContains(t, body, "moved since")
	require.NotContains(t, body, `id="make-plan"`, "it would be the same plan")
	failed = true
	_, body = get(t, form+"&plan="+first)
	again := regexp.MustCompile(`name="plan" value="([0-9a-f]{12}-[0-9]+)">Make it again`).FindStringSubmatch(body)
	require.NotEmpty(t, again)
	failed = false
	_, body = get(t, form+"&plan="+again[1])
	require.NotContains(t, body, "moved since")
	require.NotContains(t, body, `id="make-plan"`)
	require.Equal(t, []string{first, first, again[1]}, asked)
	asked = asked[:1]
	b.Reconciled(status.Environment{Name: "dev", StateCommit: "s2"}, nil)
	_, body = get(t, form+"&plan="+first)
	require.Contains(t, body, "the platform or a state moved since")
	next := button.FindStringSubmatch(body)[1]
	require.NotEqual(t, first, next)
	require.Equal(t, []string{first, first}, asked, "the same question")
	_, body = get(t, form+"&plan="+next)
	require.NotContains(t, body, "moved since")
}
