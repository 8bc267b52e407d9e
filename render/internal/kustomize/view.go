package kustomize

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/state"
)

// A view is all of an object that decides where the identity goes, its labels and selectors as they are written, and whether
// its replicas are for others to set.
type view struct {
	group, version, kind string
	name                 string // before the wrapper's prefix; filled where it matters

	pods     bool              // it is a Pod, or has a template of Pods
	template []string          // the path to that template, where it is one that gets the identity
	labels   map[string]string // of its pods, or of a Service
	foreign  bool              // its template gets no identity, because its kind is not one of ours

	asWritten string // the annotation
	selectors []selector
	scaling   scaling
}

// A selector is one of an object's selectors.
type selector struct {
	path  []string // to the labels in it; numbers are indexes of lists
	aim   aim      // at the kind of objects it selects
	fixed bool     // it never gets the identity
	any   string   // "true" where it looks into every namespace
	some  bool     // it selects something; false is a selector that is not there

	labels      map[string]string
	expressions []expression
}

// An aim is the kind of objects that a selector is there to select.
type aim int

const (
	atPods    aim = iota
	atOwnPods     // of the template beside it
	atServices
)

// An expression is one of a selector's matchExpressions.
type expression struct {
	key, operator string
	values        []string
}

// templates are the kinds whose pod templates get the identity, and where these are.
var templates = map[string][]string{
	"apps/Deployment":  {"spec", "template"},
	"apps/StatefulSet": {"spec", "template"},
	"apps/DaemonSet":   {"spec", "template"},
	"apps/ReplicaSet":  {"spec", "template"},
	"batch/Job":        {"spec", "template"},
	"batch/CronJob":    {"spec", "jobTemplate", "spec", "template"},
}

// viewOf looks at an object as it is written.
func viewOf(object *yaml.Node) *view {
	v := &view{kind: textAt(object, "kind")}
	v.group, v.version = groupVersion(object)
	v.asWritten = textAt(object, "metadata", "annotations", state.AnnotationSelectors)
	v.scaling = scalingOf(object, v)
	v.findPods(object)
	v.findSelectors(object)
	return v
}

func groupVersion(object *yaml.Node) (group, version string) {
	group, version, grouped := strings.Cut(textAt(object, "apiVersion"), "/")
	if !grouped {
		return "", group
	}
	return group, version
}

// id is GROUP/KIND, without a slash for the core group.
func (v *view) id() string { return strings.TrimPrefix(v.group+"/"+v.kind, "/") }

// workload reports whether the object is of a kind that has a selector beside its template of Pods.
func (v *view) workload() bool { return v.template != nil && v.group == "apps" }

func (v *view) findPods(object *yaml.Node) {
	switch path := templates[v.id()]; {
	case path != nil:
		v.pods, v.template = true, path
		v.labels = textsOf(Lookup(object, slices.Concat(path, []string{"metadata", "labels"})...))
	case v.id() == "Pod", v.id() == "Service":
		v.pods = v.kind == "Pod"
		v.labels = textsOf(Lookup(object, "metadata", "labels"))
	case Lookup(object, "spec", "template", "spec", "containers") != nil:
		v.pods, v.foreign = true, true
		v.labels = textsOf(Lookup(object, "spec", "template", "metadata", "labels"))
	}
}

func (v *view) findSelectors(object *yaml.Node) {
	switch v.id() {
	case "Service":
		s := selector{path: []string{"spec", "selector"}, labels: textsOf(Lookup(object, "spec", "selector"))}
		s.some = len(s.labels) > 0
		if Lookup(object, "spec", "selector") != nil {
			v.selectors = append(v.selectors, s)
		}
	case "policy/PodDisruptionBudget":
		s := labelSelector(object, []string{"spec", "selector"}, false)
		if v.version == "v1beta1" && s.empty() {
			s.some = false
		}
		v.selectors = append(v.selectors, s)
	case "networking.k8s.io/NetworkPolicy":
		v.selectors = append(v.selectors, labelSelector(object, []string{"spec", "podSelector"}, true))
	case "monitoring.coreos.com/PodMonitor", "monitoring.coreos.com/ServiceMonitor":
		s := labelSelector(object, []string{"spec", "selector"}, false)
		if v.kind == "ServiceMonitor" {
			s.aim = atServices
		}
		names := Lookup(object, "spec", "namespaceSelector", "matchNames")
		if names != nil && len(names.Content) > 0 {
			s.fixed = true
		}
		s.any = textAt(object, "spec", "namespaceSelector", "any")
		v.selectors = append(v.selectors, s)
	}
	if v.workload() {
		s := labelSelector(object, []string{"spec", "selector"}, true)
		s.aim = atOwnPods
		v.selectors = append(v.selectors, s)
	}
	if v.template != nil {
		v.findScheduling(object)
	}
}

// scheduling are the lists of a pod's spec whose terms select pods that are to be kept apart, and where the term is in an
// item. Affinity is not among them: it brings a pod near to others, which may be anybody's.
var scheduling = []struct{ list, term []string }{
	{[]string{"affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"}, nil},
	{[]string{"affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"}, []string{"podAffinityTerm"}},
	{[]string{"topologySpreadConstraints"}, nil},
}

func (v *view) findScheduling(object *yaml.Node) {
	for _, s := range scheduling {
		path := slices.Concat(v.template, []string{"spec"}, s.list)
		list := Lookup(object, path...)
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		for n := range list.Content {
			term := slices.Concat(path, []string{strconv.Itoa(n)}, s.term)
			found := labelSelector(object, append(slices.Clone(term), "labelSelector"), false)
			namespaces, everywhere := Lookup(object, append(slices.Clone(term), "namespaces")...), Lookup(object, append(term, "namespaceSelector")...)
			named := namespaces != nil && !isEmptyList(namespaces)
			selected := everywhere != nil && !isNull(everywhere)
			found.fixed = found.fixed || named || selected
			v.selectors = append(v.selectors, found)
		}
	}
}

func isEmptyList(n *yaml.Node) bool { return n.Kind == yaml.SequenceNode && len(n.Content) == 0 }

// labelSelector reads a selector with matchLabels and matchExpressions. One that is not there selects everything or nothing.
func labelSelector(object *yaml.Node, path []string, everything bool) selector {
	s := selector{path: append(slices.Clone(path), "matchLabels")}
	n := Lookup(object, path...)
	if n == nil || isNull(n) {
		s.some = everything
		return s
	}
	matchLabels, matchExpressions := Lookup(n, "matchLabels"), Lookup(n, "matchExpressions")
	unreadable := matchLabels != nil && matchLabels.Kind != yaml.MappingNode && !isNull(matchLabels)
	if n.Kind != yaml.MappingNode || unreadable {
		s.fixed = true // the API server refuses it
		return s
	}
	s.some, s.labels = true, textsOf(matchLabels)
	if matchExpressions == nil {
		return s
	}
	for _, n := range matchExpressions.Content {
		e := expression{key: textAt(n, "key"), operator: textAt(n, "operator")}
		if values := Lookup(n, "values"); values != nil {
			for _, value := range values.Content {
				e.values = append(e.values, value.Value)
			}
		}
		s.expressions = append(s.expressions, e)
	}
	return s
}

// empty reports whether a selector asks for nothing, and so selects all.
func (s *selector) empty() bool { return len(s.labels)+len(s.expressions) == 0 }

// selects reports whether the selector selects labels as they are written. The texts of both are taken as read returns them.
func (s *selector) selects(labels map[string]string, read func(string) string) bool {
	if !s.some {
		return false
	}
	for key, want := range s.labels {
		if has, ok := labels[key]; !ok || read(has) != read(want) {
			return false
		}
	}
	return !slices.ContainsFunc(s.expressions, func(e expression) bool { return !e.matches(labels, read) })
}

func (e *expression) matches(labels map[string]string, read func(string) string) bool {
	has, there := labels[read(e.key)]
	listed := there && slices.ContainsFunc(e.values, func(value string) bool { return read(value) == read(has) })
	switch read(e.operator) {
	case "In":
		return listed
	case "NotIn":
		return !listed
	case "Exists":
		return there
	case "DoesNotExist":
		return !there
	}
	return false
}

func asIs(text string) string { return text }

// An Idle is a selector that selects nothing of its render.
type Idle struct {
	Object int    // its index among the objects
	Field  string // such as spec.selector
	Of     string // the kind of objects it ought to select
}

// IdleSelectors finds the selectors of Services, disruption budgets, network policies and monitors that select nothing of
// their render. Where the render has an object of a kind that Kubernetes does not know, that may make the objects that they
// select.
func IdleSelectors(objects []*yaml.Node) (idle []Idle) {
	views := make([]*view, len(objects))
	for n, object := range objects {
		views[n] = viewOf(whole(object))
		if _, known := builtin.Scope(views[n].group, views[n].kind); !known && !watches(views[n]) {
			return nil
		}
	}
	for n, v := range views {
		if v.template != nil || v.asWritten == state.SelectorsAsWritten {
			continue
		}
		for i := range v.selectors {
			s := &v.selectors[i]
			if s.fixed || s.any == "true" || !s.some || s.empty() || textAt(whole(objects[n]), "spec", "type") == "ExternalName" || slices.ContainsFunc(views, func(other *view) bool {
				return s.aim.meets(other) && s.selects(other.labels, asIs)
			}) {
				continue
			}
			field := strings.TrimSuffix(strings.Join(s.path, "."), ".matchLabels")
			idle = append(idle, Idle{Object: n, Field: field, Of: s.aim.String()})
		}
	}
	return idle
}

// watches reports whether the object only looks at objects that others make.
func watches(v *view) bool {
	return v.group == "monitoring.coreos.com" && slices.Contains([]string{"PodMonitor", "ServiceMonitor", "PrometheusRule"}, v.kind)
}

// meets reports whether an object is one that the selector aims at: a Service, or one that has pods.
func (a aim) meets(v *view) bool {
	if a == atServices {
		return v.id() == "Service"
	}
	return v.pods
}

func (a aim) String() string {
	if a == atServices {
		return "Service"
	}
	return "pod template"
}

func whole(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		return n.Content[0]
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func textAt(n *yaml.Node, path ...string) string {
	if n = Lookup(n, path...); n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

// textsOf are the entries of a map of labels.
func textsOf(n *yaml.Node) map[string]string {
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return nil
	}
	texts := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		texts[n.Content[i].Value] = n.Content[i+1].Value
	}
	return texts
}
