package console_test

import (
	"html"
	"io/fs"
	"maps"
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
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

var (
	input   = regexp.MustCompile(`name="p\.([^"]+)"`)
	written = regexp.MustCompile(`(?s)<pre id="yaml"[^>]*>(.*?)</pre>`)
)

// TestAFormOfEveryOfferingMakesAFileThatLoads: filled with what the example's own requests say in an environment, the form of each
// version that they ask for makes a file without a Problem, which says the same.
func TestAFormOfEveryOfferingMakesAFileThatLoads(t *testing.T) {
	p, files := acme(t)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	get := serve(console.Options{Board: b})
	tried := map[string]bool{}
	for _, request := range p.Requests {
		for environment := range request.Spec.Environments {
			in := instance(p, environment, request.Key)
			require.NotNil(t, in, "%s in %s", request.Key, environment)
			tried[request.Spec.Offering] = true
			query := url.Values{"team": {request.Key.Team}, "name": {"one-more"}, "environment": {environment}, "version": {in.Version.Number.String()}}
			_, empty := get(t, "/catalog/"+request.Spec.Offering+"/new?version="+in.Version.Number.String())
			for _, field := range input.FindAllStringSubmatch(empty, -1) {
				if value := at(in.Parameters, strings.Split(html.UnescapeString(field[1]), ".")); value != nil {
					query.Set("p."+field[1], filled(t, value))
				}
			}
			_, body := get(t, "/catalog/"+request.Spec.Offering+"/new?"+query.Encode())
			require.Contains(t, body, "Make the file at the forge", "%s in %s", request.Key, environment)
			file := html.UnescapeString(written.FindStringSubmatch(body)[1])

			more := maps.Clone(files)
			key := platform.RequestKey{Team: request.Key.Team, Name: "one-more"}
			more[key.File()] = &fstest.MapFile{Data: []byte(file)}
			again, err := platform.Load(more)
			require.NoError(t, err)
			require.Equal(t, p.Problems, again.Problems, file)
			made := instance(again, environment, key)
			require.NotNil(t, made, file)
			require.Equal(t, in.Parameters, made.Parameters, file)
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(p.Offerings)), slices.Sorted(maps.Keys(tried)), "an offering of the example has no request")
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
