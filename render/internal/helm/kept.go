package helm

import (
	"bytes"
	"maps"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// The bounds of the charts that are kept. What Helm makes of a chart's files is about ten times as large as they are.
const (
	keptBytes   = 8 << 20
	keptChoices = 4 // of one chart: one for each choice of its dependencies
)

// Charts keeps charts that it printed, so that a further release of the same chart costs little more than to execute its templates. The
// zero value is ready. It is for one goroutine at a time.
type Charts struct {
	kept []*keptChart // used last comes last
}

// A keptChart is a chart that was loaded, with all of it that is the same for each release.
type keptChart struct {
	files   map[string][]byte
	size    int
	chart   *chart.Chart // which no release changes
	schemas schemas
	cluster *common.Capabilities // of the release before
	version string               // of Kubernetes, of that cluster
	texts   yamlTexts
	choices []*choice
}

// A choice is a set of templates that a chart prints: values may leave dependencies out.
type choice struct {
	templates map[string]*common.File
	session   *session // nil: these templates were printed once
}

// Render returns the manifests of an encoded Call by the path of their template inside the chart, and keeps nothing.
func Render(files map[string][]byte, call []byte) (map[string]string, error) {
	return new(Charts).Render(files, call)
}

// Render returns the manifests of an encoded Call by the path of their template inside the chart.
func (k *Charts) Render(files map[string][]byte, call []byte) (map[string]string, error) {
	c, err := decodeCall(call)
	if err != nil {
		return nil, err
	}
	kept := k.find(files)
	if kept == nil {
		loaded, documents, err := load(files)
		if err != nil {
			return nil, err
		}
		kept = &keptChart{files: files, chart: loaded, schemas: documents}
		for name, content := range files {
			kept.size += len(name) + len(content)
		}
	}
	used := copyOf(kept.chart)
	printed, err := kept.print(used, c)
	if err != nil {
		return nil, err
	}
	k.keep(kept)
	return manifests(used, c.Hooks, printed)
}

// find returns a chart that is kept; nil: it is not.
func (k *Charts) find(files map[string][]byte) *keptChart {
	for _, kept := range slices.Backward(k.kept) {
		if maps.EqualFunc(kept.files, files, bytes.Equal) {
			return kept
		}
	}
	return nil
}

// keep notes that a chart was used, and forgets those that were not used for the longest time where there are too many.
func (k *Charts) keep(used *keptChart) {
	k.kept = append(slices.DeleteFunc(k.kept, func(c *keptChart) bool { return c == used }), used)
	size := 0
	for n, c := range slices.Backward(k.kept) {
		if size += c.size*(1+len(c.choices)) + c.texts.size; size > keptBytes {
			for _, c := range k.kept[:n+1] {
				c.forget(len(c.choices))
			}
			k.kept = slices.Delete(k.kept, 0, n+1)
			return
		}
	}
}

// forget ends the first sessions of a chart.
func (k *keptChart) forget(n int) {
	for _, c := range k.choices[:n] {
		if c.session != nil {
			c.session.stop()
		}
	}
	k.choices = slices.Delete(k.choices, 0, n)
}

// print executes the templates of a copy of the chart, and returns their texts by the full name of each. The engine prints a set of
// templates by itself the first time, and whenever a session fails: its errors are the ones that people read.
func (k *keptChart) print(c *chart.Chart, call Call) (map[string]string, error) {
	values, err := k.renderValues(c, call)
	if err != nil {
		return nil, err
	}
	templates := templatesOf(c)
	at := slices.IndexFunc(k.choices, func(c *choice) bool { return maps.Equal(c.templates, templates) })
	if at < 0 {
		texts, err := execute(c, values)
		if err == nil {
			k.forget(max(0, len(k.choices)+1-keptChoices))
			k.choices = append(k.choices, &choice{templates: templates})
		}
		return texts, err
	}
	known := k.choices[at]
	if known.session == nil {
		known.session = startSession(c, values, &k.texts)
	}
	if known.session != nil {
		if texts, ok := known.session.print(c, values); ok {
			return texts, nil
		}
		known.session = nil
	}
	c = copyOf(k.chart)
	if values, err = k.renderValues(c, call); err != nil { // templates may have changed the others
		return nil, err
	}
	return execute(c, values)
}

// copyOf copies everything of a chart that Helm changes for a release: metadata and dependencies. Values are copied where Helm merges
// them.
func copyOf(c *chart.Chart) *chart.Chart {
	copied, metadata := *c, *c.Metadata
	metadata.Dependencies = slices.Clone(metadata.Dependencies)
	for n, dependency := range metadata.Dependencies {
		if dependency != nil {
			changed := *dependency
			metadata.Dependencies[n] = &changed
		}
	}
	copied.Metadata = &metadata
	copied.SetDependencies()
	for _, dependency := range c.Dependencies() {
		copied.AddDependency(copyOf(dependency))
	}
	return &copied
}
