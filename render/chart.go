package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/internal/helm"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// A print is the result of a version's chart for one placement.
type print struct {
	tree     kustomize.Tree
	problems []platform.Problem
}

// A generation of remembered prints: each is some ten kilobytes, and few are asked for twice. But one may be of many megabytes.
const (
	chartGeneration = 256
	chartBytes      = 64 << 20

	skeletonOfPrint = 10 // times the bytes of a print are about those of its skeleton
)

// print has the chart of a version print its objects for one placement, as a directory that Kustomize may read. A worker does it.
func (x examiner) print(i *platform.Instance, placed evaluated) (kustomize.Tree, []platform.Problem) {
	values, problems := i.ChartValues(placed.inputs, &expression.Tally{Most: placed.most})
	if len(problems) > 0 {
		return kustomize.Tree{}, problems
	}
	call, err := helm.Call{
		Release: i.Request.Key.Name, Namespace: cmp.Or(placed.namespace, i.Version.Chart.Namespace), Values: values,
		Kubernetes: i.Environment.Kubernetes, APIVersions: x.apiVersions(i),
		Hooks: helm.Hooks{First: placed.hooks != upgradeHooks, Again: placed.hooks == retriedHooks, Omit: i.Version.Chart.Omit},
	}.Encode()
	if err != nil {
		return kustomize.Tree{}, []platform.Problem{{File: i.Request.File, Rule: "inputs", Message: err.Error()}}
	}
	chart := i.Version.Chart
	key := chart.Dir + " " + i.Version.Digest + string(call) // the result names paths in the directory
	if known, ok := x.prints.lookup(key); ok {
		return known.tree, known.problems
	}
	documents, err := x.run(kustomize.Job{Subject: chart.Dir, Files: chart.Files, Chart: call})
	if unfinished(err) {
		return kustomize.Tree{}, []platform.Problem{buildProblem(path.Join(chart.Dir, "Chart.yaml"), err)}
	}
	var p print
	if err != nil {
		p.problems = []platform.Problem{chartProblem(chart, err.Error())}
	} else {
		p.tree, p.problems = printedTree(chart, documents)
	}
	x.prints.putSized(key, p, len(key)+p.tree.Printed)
	return p.tree, p.problems
}

// apiVersions are the .Capabilities.APIVersions of a chart: what Kubernetes itself serves, and the kinds that the version names.
// They depend on nothing but the environment's version of Kubernetes and the version, so no other file changes what runs.
func (x examiner) apiVersions(i *platform.Instance) []string {
	served := x.served.get(i.Environment.Kubernetes, func() []string {
		return builtin.APIVersions(minorOf(i.Environment.Kubernetes))
	})
	var own []string
	for _, kind := range i.Version.Kinds {
		for _, version := range kind.Versions {
			own = append(own, kind.Group+"/"+version, kind.Group+"/"+version+"/"+kind.Kind)
		}
	}
	return slices.Concat(served, own)
}

// printedTree makes a Component of the texts that a chart printed, and guards it.
func printedTree(chart *platform.Chart, documents []*yaml.Node) (kustomize.Tree, []platform.Problem) {
	archive, hash, size := new(txtar.Archive), sha256.New(), 0
	resources := []string{}
	for n := 0; n+1 < len(documents[0].Content); n += 2 {
		name, text := documents[0].Content[n].Value, documents[0].Content[n+1].Value
		if !plainPath.MatchString(name) || strings.Contains(name, "..") {
			return kustomize.Tree{}, []platform.Problem{{
				File: path.Join(chart.Dir, name), Rule: "name", Message: "the names of templates may have letters, digits, '.', '_' and '-'; rename the file",
			}}
		}
		resources = append(resources, name)
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	component, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "metadata": map[string]string{"name": "chart"}, "resources": resources,
	})
	if err != nil {
		return kustomize.Tree{}, []platform.Problem{chartProblem(chart, err.Error())}
	}
	archive.Files = append(archive.Files, txtar.File{Name: kustomize.KustomizationFile, Data: component})
	for _, f := range archive.Files {
		fmt.Fprintf(hash, "%q %x\n", f.Name, sha256.Sum256(f.Data))
		size += len(f.Name) + len(f.Data)
	}
	files, err := txtar.FS(archive)
	if err != nil {
		return kustomize.Tree{}, []platform.Problem{chartProblem(chart, err.Error())}
	}
	tree := kustomize.Tree{Dir: chart.Dir, Files: files, Digest: "sha256:" + hex.EncodeToString(hash.Sum(nil)), Printed: size}
	return tree, inTemplates(chart, kustomize.Guard(tree))
}

var (
	plainPath = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)

	// inChart is the position that begins a message of Helm: a file of the chart, with a line and a column where there are some.
	inChart = regexp.MustCompile(`^([^ :]+)(?::(\d+)(?::(\d+))?)?: (?s:(.*))$`)
	pointer = regexp.MustCompile(`^(/\S*): `)
)

// chartProblem is a message of Helm as a Problem of the file that it names, or of the expression whose value does not fit.
func chartProblem(chart *platform.Chart, message string) platform.Problem {
	p := platform.Problem{File: path.Join(chart.Dir, "Chart.yaml"), Rule: "chart", Message: message}
	m := inChart.FindStringSubmatch(message)
	if m == nil {
		return p
	}
	p.File, p.Message = path.Join(chart.Dir, m[1]), m[4]
	p.Line, _ = strconv.Atoi(m[2])
	p.Column, _ = strconv.Atoi(m[3])
	if at := pointer.FindStringSubmatch(p.Message); at != nil && m[1] == "values.schema.json" {
		p.Rule = "chart-values"
		if e := chart.ExpressionAt(steps(at[1])); e != nil {
			p.File, p.Line, p.Column, p.Field = e.At.File, e.At.Line, e.At.Column, e.At.Field
			p.Message = "the chart's values.schema.json refuses the value at " + p.Message
		}
	}
	return p
}

// steps are those of a JSON pointer.
func steps(pointer string) []string {
	path := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for n := range path {
		path[n] = strings.NewReplacer("~1", "/", "~0", "~").Replace(path[n])
	}
	return path
}

// inTemplates says of Problems in printed files that their lines are those of what was printed, and of the Component around them
// that it is the chart.
func inTemplates(chart *platform.Chart, problems []platform.Problem) []platform.Problem {
	problems = slices.Clone(problems)
	for n := range problems {
		p := &problems[n]
		switch {
		case p.File == path.Join(chart.Dir, kustomize.KustomizationFile):
			p.File, p.Line, p.Column = path.Join(chart.Dir, "Chart.yaml"), 0, 0
		case strings.HasPrefix(p.File, chart.Dir+"/") && p.Line > 0 && p.Rule != "chart":
			p.Message = fmt.Sprintf("%s (on line %d of what it prints)", p.Message, p.Line)
			p.Line, p.Column = 0, 0
		}
	}
	return problems
}

// asInstalled are the objects of a version, with the namespace omitted where a chart only repeats that of its release.
func asInstalled(chart *platform.Chart, namespace string, objects []kustomize.Object) []kustomize.Object {
	if chart == nil {
		return objects
	}
	objects = slices.Clone(objects)
	for n := range objects {
		o := &objects[n]
		if !strings.HasPrefix(o.File, chart.Dir+"/") {
			continue
		}
		if o.Namespace == namespace {
			o.Namespace = ""
		}
		o.Subjects = slices.Clone(o.Subjects)
		for s := range o.Subjects {
			if o.Subjects[s].Namespace == namespace {
				o.Subjects[s].Namespace = ""
			}
		}
	}
	return objects
}

// minorOf returns the minor version of one such as 1.33.
func minorOf(kubernetes string) int {
	_, minor, _ := strings.Cut(kubernetes, ".")
	n, _ := strconv.Atoi(minor)
	return n
}
