package platform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/strictyaml"
	"transom.dev/render/wording"
)

// defaultKubernetes is the version of Kubernetes that charts are told where an environment names none. It never changes: what
// runs would be rendered anew.
const defaultKubernetes = "1.37"

// omittedHooks are the hooks of Helm that a version may leave out of its chart.
var omittedHooks = []string{"pre-delete", "post-delete", "pre-rollback", "post-rollback"}

type chartSpec struct {
	Path      string `decode:"required"`
	Namespace string
	Values    map[string]any
	Hooks     struct{ Omit []string }
}

// Chart is a Helm chart in a version's directory, which prints objects for each placement.
type Chart struct {
	Dir       string            // in the platform repository
	Files     map[string][]byte // by path inside Dir
	Beside    fs.FS             // the version's other files, with a kustomization where people wrote none
	Alone     bool              // people wrote none
	Namespace string            // of its release, in a cluster-scoped version
	Omit      []string          // hooks that are omitted, sorted
	Hooks     bool              // it may have hooks

	values any // as the chart gets them, with expressions as leaves
}

// plainComponent is the kustomization of a version that has nothing but a chart.
const plainComponent = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nmetadata: {name: chart}\n"

// findChart finds the chart of a version among its files; nil: it has none.
func findChart(d *document, dir string, s *chartSpec, files []*file) *Chart {
	switch {
	case s == nil, s.Path == "":
		return nil
	case !localPath(s.Path):
		d.problem("spec.chart.path", "path", "%q must be a path inside %s", wording.Shorten(s.Path), dir)
		return nil
	}
	c := &Chart{Dir: path.Join(dir, s.Path), Files: map[string][]byte{}, Alone: true, Namespace: s.Namespace}
	var beside []*file
	for _, f := range files {
		name, inside := strings.CutPrefix(f.path, c.Dir+"/")
		switch {
		case inside && !f.opaque:
			c.Files[name] = f.data
		case inside:
			d.add(Problem{File: f.path, Rule: "not-a-file", Message: "not a regular file; symlinks and submodules are not followed"})
		default:
			beside = append(beside, f)
			c.Alone = c.Alone && f.path != dir+"/kustomization.yaml"
		}
	}
	if _, there := c.Files["Chart.yaml"]; !there && !d.opaque {
		d.problem("spec.chart.path", "path", "there is no chart in %s: it has no Chart.yaml%s", c.Dir, wording.Suggest(s.Path, chartsAmong(dir, files)))
	}
	if c.Alone {
		beside = append(beside, &file{path: dir + "/kustomization.yaml", data: []byte(plainComponent)})
	}
	c.Beside, _ = directory(dir, beside)
	for i, hook := range s.Hooks.Omit {
		if !slices.Contains(omittedHooks, hook) {
			d.problem(fieldpath.Index("spec.chart.hooks.omit", i), "value", "must be one of %s, not %q%s",
				wording.List(omittedHooks), wording.Shorten(hook), wording.Suggest(hook, omittedHooks))
		}
	}
	c.Hooks = mayHaveHooks(c.Files)
	c.Omit = slices.Sorted(slices.Values(s.Hooks.Omit))
	return c
}

// checkChartNamespace checks the namespace of a chart's release, which only a cluster-scoped version chooses.
func checkChartNamespace(d *document, namespace, scope string) {
	const field = "spec.chart.namespace"
	wrong := wrongName(namespace, maxLabel)
	switch {
	case namespace == "":
	case scope != string(ClusterScoped):
		d.problem(field, "value", "the release of a namespaced version is in the namespace of its instance; remove the field, or write scope: cluster")
	case wrong != "":
		d.problem(field, "value", "%q %s", wording.Shorten(namespace), wrong)
	}
}

// mayHaveHooks reports whether a chart, or one that it depends on, has hooks. One in an archive may have some.
func mayHaveHooks(files map[string][]byte) bool {
	for name, text := range files {
		if strings.HasSuffix(name, ".tgz") || bytes.Contains(text, []byte("helm.sh/hook")) {
			return true
		}
	}
	return false
}

// chartsAmong lists the directories below dir that have a Chart.yaml.
func chartsAmong(dir string, files []*file) (names []string) {
	for _, f := range files {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(f.path, dir+"/"), "/Chart.yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

// with returns the chart with its values compiled: every text in them is an expression.
func (c *Chart) with(d *document, s *chartSpec, names *expression.Scope) *Chart {
	if c == nil {
		return nil
	}
	compiled, compiler := *c, chartCompiler{document: d, names: names, known: readChartValues(d, c)}
	compiled.values = compiler.compile("spec.chart.values", nil, orEmpty(s.Values))
	return &compiled
}

type chartCompiler struct {
	*document
	names *expression.Scope
	known chartValues
}

func (c chartCompiler) compile(field string, at []string, value any) any {
	switch value := value.(type) {
	case string:
		e := c.compileExpression(field, path.Join(at...), value, c.names, expression.Any)
		if e == nil {
			return nil
		}
		if wrong := c.known.mismatch(at, e.Result()); wrong != "" {
			c.problem(field, "type", "%s", wrong)
		}
		return e
	case map[string]any:
		out := make(map[string]any, len(value))
		for _, key := range sortedKeys(value) {
			inside := append(slices.Clone(at), key)
			if problem := c.unknown(inside); problem != "" {
				c.warn(fieldpath.Join(field, key), "unknown-value", "%s", problem)
			}
			out[key] = c.compile(fieldpath.Join(field, key), inside, value[key])
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = c.compile(fieldpath.Index(field, i), append(slices.Clone(at), fmt.Sprint(i)), value[i])
		}
		return out
	}
	return value
}

// unknown says that a value is none that the chart has, as long as that can be told of the file; empty: it may be one.
func (c chartCompiler) unknown(at []string) string {
	if c.full() {
		return ""
	}
	return c.known.unknown(at)
}

// chartValues are what a chart says about its own values.
type chartValues struct {
	schema   map[string]any // of values.schema.json; nil: there is none
	defaults *yaml.Node     // of values.yaml; nil: there is none
}

func readChartValues(d *document, c *Chart) (v chartValues) {
	if text, there := c.Files["values.schema.json"]; there {
		if err := json.Unmarshal(text, &v.schema); err != nil {
			d.add(Problem{File: c.Dir + "/values.schema.json", Rule: "syntax", Message: fmt.Sprintf("is no JSON schema: %v", err)})
		}
	}
	if text, there := c.Files["values.yaml"]; there {
		documents, problems := strictyaml.Scan(text, strictyaml.Options{Aliases: true})
		for _, p := range problems {
			d.add(FromYAML(c.Dir+"/values.yaml", p))
		}
		if len(documents) == 1 {
			v.defaults = documents[0]
		}
	}
	return v
}

// unknown says that a value is none that the chart has; empty: it may be one.
func (v chartValues) unknown(at []string) string {
	n, name := v.defaults, at[len(at)-1]
	for _, step := range at[:len(at)-1] {
		n = entryNamed(n, step)
	}
	if name == "global" && len(at) == 1 || n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 || entryNamed(n, name) != nil || v.describes(at) {
		return ""
	}
	var names []string
	for i := 0; i < len(n.Content); i += 2 {
		names = append(names, n.Content[i].Value)
	}
	return "values.yaml of the chart has no such value, so it may do nothing" + wording.Suggest(name, names)
}

func entryNamed(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// describes reports whether the chart's schema has a property.
func (v chartValues) describes(at []string) bool { return v.property(at) != nil }

// property is the schema of a value, as far as plain properties lead to it.
func (v chartValues) property(at []string) map[string]any {
	schema := v.schema
	for _, step := range at {
		properties, _ := schema["properties"].(map[string]any)
		schema, _ = properties[step].(map[string]any)
	}
	return schema
}

// mismatch says that no value of a type fits into the chart's schema; empty: one may.
func (v chartValues) mismatch(at []string, t *expression.Type) string {
	wanted, _ := v.property(at)["type"].(string)
	is := expression.JSONType(t)
	if wanted == "" || is == "" || wanted == is || wanted == "number" && is == "integer" {
		return ""
	}
	return fmt.Sprintf("results in %s, and values.schema.json of the chart wants %s", is, wanted)
}

// ChartValues evaluates the values that the instance gives to its chart. One that comes to null is omitted, so that the
// chart's own default stays.
func (i *Instance) ChartValues(in Inputs, t *expression.Tally) (map[string]any, []Problem) {
	e := chartEvaluation{instance: i, vars: in.Map(), tally: t}
	values, _ := e.evaluate(i.Version.Chart.values)
	out, _ := values.(map[string]any)
	return out, e.problems
}

type chartEvaluation struct {
	instance *Instance
	vars     map[string]any
	tally    *expression.Tally
	problems []Problem
}

// evaluate returns a value, and whether there is one.
func (e *chartEvaluation) evaluate(value any) (any, bool) {
	switch value := value.(type) {
	case *expression.Expression:
		if e.tally.Over() {
			return nil, false // which was told
		}
		result, err := e.tally.Evaluate(value, e.vars)
		switch {
		case e.tally.Over():
			e.problems = append(e.problems, e.instance.overspent(value, err, e.tally))
		case err != nil:
			e.problems = append(e.problems, e.instance.evaluation(*value, err))
		}
		return result, result != nil
	case map[string]any:
		out := make(map[string]any, len(value))
		for _, key := range sortedKeys(value) {
			if inside, there := e.evaluate(value[key]); there {
				out[key] = inside
			}
		}
		return out, true
	case []any:
		out := make([]any, len(value))
		for n := range value {
			out[n], _ = e.evaluate(value[n])
		}
		return out, true
	}
	return value, true
}

// ExpressionAt is the expression of version.yaml that gives the chart a value; nil: none does.
func (c *Chart) ExpressionAt(at []string) *expression.Expression {
	value := c.values
	for _, step := range at {
		if _, leaf := value.(*expression.Expression); leaf {
			break
		}
		switch inside := value.(type) {
		case map[string]any:
			value = inside[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(inside) {
				return nil
			}
			value = inside[n]
		default:
			return nil
		}
	}
	e, _ := value.(*expression.Expression)
	return e
}

// expressions lists the expressions of the chart's values.
func (c *Chart) expressions() (found []*expression.Expression) {
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case *expression.Expression:
			found = append(found, value)
		case map[string]any:
			for _, key := range sortedKeys(value) {
				walk(value[key])
			}
		case []any:
			for _, item := range value {
				walk(item)
			}
		}
	}
	walk(c.values)
	return found
}

// kubernetesVersion reads the version of Kubernetes that an environment's charts are told.
func (d *document) kubernetesVersion(field, value string) string {
	if value != "" && !plainKubernetes.MatchString(value) {
		d.problem(field, "value", "must be a minor version of Kubernetes such as \"1.33\", not %q", wording.Shorten(value))
	}
	return cmp.Or(value, defaultKubernetes)
}
