package helm

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	chartapi "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
)

// A session is one run of Helm's engine, which prints the templates of a chart for one release after another. The engine parses all
// templates before it executes the first, and keeps nothing when it ends. So the first template of a session is one of ours: it asks for
// pages, and waits for the next release between two of them.
type session struct {
	scope map[string]any // of the release that the session was started for: it has the files of each chart
	page  page           // that the engine prints next
	text  string         // that it printed last
	next  func() (string, bool)
	stop  func()
}

// A page is a template to execute, with the data for it.
type page struct {
	Template string
	Scope    map[string]any

	base string // the directory of templates, as templates are told
}

const (
	asking  = `{{ range transomPages . }}{{ include .Template .Scope | transomPrinted }}{{ end }}{{ fail "the session is over" }}`
	pages   = "transomPages"
	printed = "transomPrinted"
)

// startSession parses the templates of a chart. It returns nil where the engine cannot. The texts are there for all of its releases.
func startSession(c *chart.Chart, values common.Values, texts *yamlTexts) *session {
	s := &session{}
	own := maps.Clone(functions())
	own["toYaml"] = texts.of
	own[printed] = func(text string) string {
		s.text = text
		return ""
	}
	first := *c
	first.Templates = append([]*common.File{{Name: firstName(c), Data: []byte(asking)}}, c.Templates...)
	s.next, s.stop = iter.Pull(func(yield func(string) bool) {
		own[pages] = func(scope map[string]any) iter.Seq[page] {
			s.scope = scope
			return func(print func(page) bool) {
				for yield(s.text) && print(s.page) {
				}
			}
		}
		_, _ = engine.Engine{CustomTemplateFuncs: own}.RenderWithContext(context.Background(), &first, values) // execute says why it ends
	})
	if _, waits := s.next(); !waits {
		return nil
	}
	return s
}

// firstName is a name that the engine executes before all others, since it has the most slashes.
func firstName(c *chart.Chart) string {
	most := 0
	for name := range templatesOf(c) {
		most = max(most, strings.Count(name, "/"))
	}
	return strings.Repeat("transom/", most+1) + "pages"
}

// print executes the templates of a chart for one release, in the engine's order, and returns their texts by full name. It reports
// false where one fails, and the session is over then.
func (s *session) print(c *chart.Chart, values common.Values) (map[string]string, bool) {
	_, printing := scopeOf(c, values, s.scope)
	slices.SortFunc(printing, func(a, b page) int { return executedBefore(a.Template, b.Template) })
	texts := make(map[string]string, len(printing))
	for _, p := range printing {
		p.Scope["Template"] = common.Values{"Name": p.Template, "BasePath": p.base}
		s.page = p
		text, more := s.next()
		if !more {
			return nil, false
		}
		texts[p.Template] = strings.ReplaceAll(text, "<no value>", "") // as the engine does
	}
	return texts, true
}

// executedBefore is the order in which the engine executes templates. It matters, since a template may change values.
func executedBefore(a, b string) int {
	return cmp.Or(cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/")), cmp.Compare(b, a))
}

// templatesOf returns the templates of a chart and its dependencies by their full name.
func templatesOf(c *chart.Chart) map[string]*common.File {
	found := map[string]*common.File{}
	for _, dependency := range c.Dependencies() {
		maps.Copy(found, templatesOf(dependency))
	}
	for _, file := range c.Templates {
		found[path.Join(c.ChartFullPath(), file.Name)] = file
	}
	return found
}

// scopeOf returns the data of a chart's templates for one release, and those templates of it and its dependencies that print something.
// No map that a template could change is shared with another release.
func scopeOf(c *chart.Chart, parent common.Values, started map[string]any) (scope map[string]any, found []page) {
	accessor, err := chartapi.NewAccessor(c)
	if err != nil {
		return nil, nil
	}
	metadata, subcharts := accessor.MetadataAsMap(), map[string]any{}
	metadata["IsRoot"] = c.IsRoot()
	scope = map[string]any{
		"Chart": metadata, "Files": started["Files"], "Release": parent["Release"], "Capabilities": parent["Capabilities"],
		"Values": common.Values{}, "Subcharts": subcharts,
	}
	if c.IsRoot() {
		scope["Values"] = parent["Values"]
	} else if values, err := parent.Table("Values." + c.Name()); err == nil {
		scope["Values"] = values
	}
	of, _ := started["Subcharts"].(map[string]any)
	for _, dependency := range c.Dependencies() {
		before, _ := of[dependency.Name()].(map[string]any)
		inside, pages := scopeOf(dependency, scope, before)
		subcharts[dependency.Name()], found = inside, append(found, pages...)
	}
	for _, file := range c.Templates {
		if !strings.HasPrefix(path.Base(file.Name), "_") && !accessor.IsLibraryChart() {
			found = append(found, page{path.Join(c.ChartFullPath(), file.Name), scope, path.Join(c.ChartFullPath(), "templates")})
		}
	}
	return scope, found
}
