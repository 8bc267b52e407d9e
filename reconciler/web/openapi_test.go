package web_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	pages "transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestTheDocumentIsOfTheHandlers: openapi.json has the operations, the parameters, the answers and the roles that the code has. Run it
// with -update after a change of them.
func TestTheDocumentIsOfTheHandlers(t *testing.T) {
	made, err := json.MarshalIndent(newDocument(t, false), "", " ")
	require.NoError(t, err)
	made = append(made, '\n')
	if *update {
		require.NoError(t, os.WriteFile("openapi.json", made, 0o644))
	}
	kept, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	require.Equal(t, string(kept), string(made), "go test ./reconciler/web -run TestTheDocument -update")
}

// TestEveryRouteOfTheAPIIsInTheDocument, and the reverse.
func TestEveryRouteOfTheAPIIsInTheDocument(t *testing.T) {
	var routes, described []string
	for _, route := range web.Routes(web.Options{Board: board(), Docs: fstest.MapFS{}}) {
		if strings.HasPrefix(route, "/api/v1/") {
			routes = append(routes, route)
		}
	}
	_, body := get(t, serve(t, web.Options{Board: board()}), "/api/v1/openapi.json")
	var doc struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	for route := range doc.Paths {
		described = append(described, route)
	}
	require.ElementsMatch(t, routes, described)
}

// TestAnswersAreAsTheDocumentSays: every operation is asked of a daemon that knows much, and its answer is checked against its schema, in which
// no field may be unknown.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	doc := newDocument(t, true)
	s := serve(t, busy(t))
	for route, item := range doc.Paths {
		operation := cmp.Or(item.Get, item.Post)
		url := route
		for name, value := range map[string]string{
			"{environment}": "prod", "{team}": "store", "{request}": "shop", "{offering}": "web", "{version}": "1.2.0", "{cluster}": "east", "{commit}": mergeCommit,
		} {
			url = strings.ReplaceAll(url, name, value)
		}
		for _, p := range operation.Parameters {
			if (p.Required || p.Name == "with") && p.In == "query" { // a comparison is with something, or of two
				url += map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")] + p.Name + "=" +
					map[string]string{"environment": "prod", "team": "store", "request": "shop", "with": "live", "branch": "change"}[p.Name]
			}
		}
		method := map[bool]string{true: http.MethodGet, false: http.MethodPost}[item.Get != nil]
		resp, body := sent(t, method, s.URL+url, "", map[bool]string{true: "spec: {}\n"}[operation.RequestBody != nil])
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", url, body)
		if content := operation.Responses["200"].Content["application/json"]; content != nil {
			requireValid(t, doc, content.Schema, body, url)
			require.NotEmpty(t, resp.Header.Get("ETag"))
			if operation.Responses["200"].Headers["Link"] != nil {
				require.NotContains(t, body, `"items":[]`, "%s: a list of this daemon has something", url)
			}
		}
		if content := operation.Responses["200"].Content["application/x-ndjson"]; content != nil {
			for line := range strings.Lines(body) {
				requireValid(t, doc, content.Schema, line, url)
			}
		}
		if item.Get == nil {
			continue
		}
		resp, body = as(t, method, s.URL+route+"?nonsense=1", "")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, "%s: %s", route, body)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
		requireValid(t, doc, operation.Responses["default"].Content["application/problem+json"].Schema, body, route)
		require.Contains(t, body, `"remedy":"`)
	}
}

// requireValid checks a text against a schema of a document.
func requireValid(t *testing.T, doc *huma.OpenAPI, schema *huma.Schema, text, about string) {
	t.Helper()
	data, err := json.Marshal(doc)
	require.NoError(t, err)
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	part, err := json.Marshal(schema)
	require.NoError(t, err)
	own, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.ReplaceAll(string(part), `"#/`, `"openapi.json#/`)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	require.NoError(t, c.AddResource("openapi.json", whole))
	require.NoError(t, c.AddResource("answer.json", own))
	compiled, err := c.Compile("answer.json")
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, compiled.Validate(value), "%s: %s", about, text)
}

// newDocument describes all operations. A strict one allows no field that it does not name.
func newDocument(t *testing.T, strict bool) *huma.OpenAPI {
	t.Helper()
	registry := huma.NewMapRegistry("#/components/schemas/", nameSchema)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Transom", Version: "v1",
			Description: "What a Transom daemon knows. Changes are merged in Git; the API changes nothing. " +
				"Answers have an ETag; lists have pages, whose next one the field next and the header Link name.",
		},
		Paths: map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token":   {Type: "http", Scheme: "bearer", Description: "A token that \"transom token\" made, or one of a ServiceAccount."},
				"session": {Type: "apiKey", In: "cookie", Name: "__Host-transom", Description: "The session of a browser; /login begins one."},
			},
		},
		Security: []map[string][]string{{"token": {}}, {"session": {}}, {}},
	}
	for _, o := range web.Operations(web.Options{Board: board()}) {
		item := &huma.PathItem{}
		if doc.Paths[o.Route] = item; o.Method == http.MethodPost {
			item.Post = describe(registry, o)
		} else {
			item.Get = describe(registry, o)
		}
	}
	comments := comments{}
	for name, schema := range registry.Map() {
		comments.add(t, schema, registry.TypeFromRef("#/components/schemas/"+name))
	}
	if !strict {
		for _, schema := range registry.Map() {
			if schema.AdditionalProperties == false {
				schema.AdditionalProperties = nil
			}
		}
	}
	return doc
}

// nameSchema gives a type that is not of the API alone the name of its package, too.
func nameSchema(of reflect.Type, hint string) string {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	name := huma.DefaultSchemaNamer(of, hint)
	switch pkg := path.Base(of.PkgPath()); pkg {
	case "", ".", "api", "web", "console":
		return name
	default:
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
}

// describe is one operation.
func describe(registry huma.Registry, o web.Operation) *huma.Operation {
	op := &huma.Operation{
		Summary: o.Summary, OperationID: operationID(o), Parameters: parametersOf(registry, o.Parameters),
		Responses: map[string]*huma.Response{
			"200": {Description: "The answer.", Content: map[string]*huma.MediaType{}},
			"default": {Description: "An error.", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: registry.Schema(web.ErrorType, true, "Problem")},
			}},
		},
		Extensions: map[string]any{"x-transom-role": fmt.Sprint(web.Roles[o.Route])},
	}
	if o.Body != "" {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{o.Body: {Schema: &huma.Schema{Type: "string"}}}}
	}
	ok := op.Responses["200"]
	if o.Answer != nil {
		ok.Content["application/json"] = &huma.MediaType{Schema: registry.Schema(o.Answer, true, op.OperationID)}
		ok.Headers = map[string]*huma.Param{"ETag": {Schema: &huma.Schema{Type: "string"}, Description: "For If-None-Match."}}
		op.Responses["304"] = &huma.Response{Description: "The answer is the one that If-None-Match names."}
		if o.Answer.Kind() == reflect.Struct {
			if _, list := o.Answer.FieldByName("Items"); list {
				ok.Headers["Link"] = &huma.Param{Schema: &huma.Schema{Type: "string"}, Description: "The next page, with rel=\"next\"."}
			}
		}
	}
	if o.Media != "" {
		ok.Content[o.Media] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
		if o.Line != nil {
			ok.Content[o.Media].Schema = registry.Schema(o.Line, true, "")
		}
	}
	return op
}

// operationID is a name for generated clients: the words of the route.
func operationID(o web.Operation) string {
	words := []string{strings.ToLower(cmp.Or(o.Method, "get"))}
	for _, word := range strings.Split(strings.TrimPrefix(o.Route, "/api/v1/"), "/") {
		words = append(words, strings.NewReplacer("{", "by-", "}", "", ".", "-").Replace(word))
	}
	return strings.Join(words, "-")
}

// parametersOf are the fields of a struct of parameters.
func parametersOf(registry huma.Registry, of reflect.Type) (all []*huma.Param) {
	if of == nil {
		return nil
	}
	for _, f := range reflect.VisibleFields(of) {
		p := &huma.Param{Name: f.Tag.Get("query"), In: "query", Required: f.Tag.Get("required") != "", Description: f.Tag.Get("doc")}
		if inPath := f.Tag.Get("path"); inPath != "" {
			p.Name, p.In, p.Required = inPath, "path", true
		}
		if p.Name == "" {
			continue
		}
		p.Schema = huma.SchemaFromField(registry, f, "")
		p.Schema.Description = ""
		all = append(all, p)
	}
	return all
}

// comments are those of the fields of types, by package, type and field.
type comments map[string]map[string]string

// add describes a schema by the comments of the type that it is of.
func (c comments) add(t *testing.T, schema *huma.Schema, of reflect.Type) {
	t.Helper()
	if of == nil || of.Kind() != reflect.Struct || !strings.HasPrefix(of.PkgPath(), "transom.dev/") {
		return
	}
	name, _, _ := strings.Cut(of.Name(), "[")
	schema.Description = c.of(t, of.PkgPath())[name]
	for _, f := range reflect.VisibleFields(of) {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := schema.Properties[key]
		if property == nil || property.Ref != "" {
			continue
		}
		owner := of
		if len(f.Index) > 1 {
			owner = of.FieldByIndex(f.Index[:len(f.Index)-1]).Type
		}
		ownerName, _, _ := strings.Cut(owner.Name(), "[")
		property.Description = c.of(t, owner.PkgPath())[ownerName+"."+f.Name]
	}
}

// of reads the comments of a package.
func (c comments) of(t *testing.T, pkg string) map[string]string {
	t.Helper()
	if c[pkg] != nil {
		return c[pkg]
	}
	c[pkg] = map[string]string{}
	dir := filepath.Join("../..", strings.TrimPrefix(pkg, "transom.dev/"))
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && name != "." {
			return cmp.Or(err, fs.SkipDir)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool { c.read(pkg, n); return true })
		return nil
	}))
	return c[pkg]
}

// read keeps the comments of a declaration of types.
func (c comments) read(pkg string, n ast.Node) {
	declaration, ok := n.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range declaration.Specs {
		one, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		c[pkg][one.Name.Name] = sentence(cmp.Or(one.Doc, declaration.Doc))
		if of, isStruct := one.Type.(*ast.StructType); isStruct {
			for _, f := range of.Fields.List {
				for _, name := range f.Names {
					c[pkg][one.Name.Name+"."+name.Name] = sentence(cmp.Or(f.Doc, f.Comment))
				}
			}
		}
	}
}

// sentence is a comment in a line.
func sentence(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// busy is a daemon that knows something of every kind.
func busy(t *testing.T) web.Options {
	t.Helper()
	header := func(kind, name, spec string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n")}
	}
	p, err := platform.Load(fstest.MapFS{
		"clusters/east.yaml":                     header("Cluster", "east", "{}"),
		"environments/prod.yaml":                 header("Environment", "prod", "{state: {url: ../state.git}, clusters: {}, logs: true}"),
		"offerings/web/offering.yaml":            header("Offering", "web", "{title: Web service, description: Serves HTTP., owner: platform}"),
		"offerings/web/1.1.0/version.yaml":       header("Version", "web", "{}"),
		"offerings/web/1.1.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")},
		"offerings/web/1.1.0/config.yaml":        {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
		"offerings/web/1.2.0/version.yaml":       header("Version", "web", "{parameters: {type: object, properties: {image: {type: string}}}, outputs: [{name: url, value: '\"http://\"'}]}"),
		"offerings/web/1.2.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")},
		"offerings/web/1.2.0/config.yaml":        {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
		"requests/store/shop.yaml":               header("Request", "shop", "{offering: web, version: \"1\", parameters: {image: a}, environments: {prod: {}}}"),
		"requests/store/wrong.yaml":              header("Request", "wrong", "{offering: wbe, version: \"1\", environments: {prod: {}}}"),
		"decisions/prod/pause.yaml":              header("Hold", "pause", "{request: store/shop, reason: the sale}"),
	})
	require.NoError(t, err)
	p.Commit = "c2"
	b := status.NewBoard(clock())
	b.Loaded("https://git.example.com/platform.git", p)
	b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Version: "v1.36.3"})
	b.Reconciled(status.Environment{
		Name: "prod", Commit: "c2", StateCommit: "s1", Clusters: []status.Cluster{{Name: "east", State: "active", Wave: "first"}},
		Decisions: []status.Decision{{Kind: "Hold", File: "decisions/prod/pause.yaml", About: "store/shop", Reason: "the sale"}},
	}, []status.Instance{{
		Environment: "prod", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:1", File: "requests/store/shop.yaml", Outputs: map[string]any{"url": "http://", "ports": []any{80}},
		Links:      []platform.Link{{Name: "Dashboard", URL: "https://grafana.example.com/d/web"}},
		Candidate:  &status.Candidate{Release: "sha256:2", Changes: []platform.Difference{{Field: "parameters.image", Before: "a", After: "b"}}},
		Waiting:    []status.Gate{{Name: "hold", Reason: "the sale"}},
		Gates:      []state.PassedGate{{Gate: "approval", Decision: "decisions/prod/go.yaml"}},
		Rollout:    &status.Rollout{Cause: "version", Pending: []string{"east"}},
		Rejected:   []status.Failure{{Release: "sha256:0", Cluster: "east", Message: "crashes"}},
		Placements: []status.Placement{{Cluster: "east", Stage: status.Committed, Health: state.Unknown, Revision: "r"}},
	}})
	b.Placed("prod", shop, status.Placement{
		Cluster: "east", Stage: status.Healthy, Health: state.Healthy, Revision: "r", Images: []string{"shop:1"},
		Objects: []status.Object{{Kind: "ConfigMap", Namespace: "store", Name: "shop-web", Health: state.Healthy}},
		Drift:   []status.ObjectProblem{{Object: "ConfigMap store/shop-web", Message: "data.a"}},
	})
	return web.Options{
		Board: b, Runtime: pods{"shop-web-1": "one line\n"}, Manifests: made{manifest: "kind: ConfigMap\n"}, Plans: &plans{},
		Look: func(context.Context) []web.Looked { return []web.Looked{{Repository: "r", Moved: true}} },
		Explain: func(_ context.Context, q web.Question) (web.Trace, error) {
			return web.Trace{Environment: q.Environment, Request: q.Request, Release: &state.Release{}}, nil
		},
		Journal: journal{}, Changes: versionChanges,
		Edit: func(_ context.Context, file string, set []pages.Assignment) (string, error) {
			return fmt.Sprintf("# kept\n# %s\n%v\n", file, set), nil
		},
		Past: func(context.Context, web.Question) ([]pages.Past, error) {
			return []pages.Past{{Commit: "s1", Events: []string{"entered"}}}, nil
		},
	}
}
