package render

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/internal/kinds"
	"transom.dev/render/platform"
)

// refusals finds the Faults for which an API server, or the applier, would refuse an object. All of these rules are newer
// than versions that run.
func refusals(object *yaml.Node, custom schemas) []kinds.Fault {
	apiVersion, kind := valueOf(object, "apiVersion"), valueOf(object, "kind")
	group, version := groupOf(apiVersion)
	if unserved := builtin.Unserved(group, version, kind); unserved != "" {
		return []kinds.Fault{{
			Path: kinds.Path{{Name: "apiVersion"}}, Rule: "unserved-kind", Message: unserved, Value: mappingOf(object, "apiVersion"),
		}}
	}
	faults := kinds.Fields(apiVersion, kind, object)
	if custom != nil && !builtin.Group(group) {
		faults = customRefusals(object, custom(apiVersion, kind))
	}
	faults = append(faults, kinds.Metadata(apiVersion, kind, object)...)
	if ttl := mappingOf(mappingOf(object, "spec"), "ttlSecondsAfterFinished"); group == "batch" && kind == "Job" && ttl != nil && ttl.ShortTag() != "!!null" {
		faults = append(faults, kinds.Fault{
			Path: kinds.Path{{Name: "spec"}, {Name: "ttlSecondsAfterFinished"}}, Rule: "expiring-job",
			Message: "the cluster removes the Job once it is done, and it would be made again and run again, without end; remove the field",
		})
	}
	return faults
}

func groupOf(apiVersion string) (group, version string) {
	group, version, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		return "", apiVersion
	}
	return group, version
}

// later makes a Problem by the schema of Kubernetes' own kinds a Warning, for API servers that are later than the schema.
func later(kubernetes string, p platform.Problem) platform.Problem {
	p.Warning = true
	p.Message += fmt.Sprintf("; that is so in Kubernetes 1.%d, and may be otherwise in %s, which spec.kubernetes names", builtin.KubernetesMinor, kubernetes)
	return p
}

// isLater reports whether a version of Kubernetes is later than the one whose schema is known.
func isLater(kubernetes string) bool { return minorOf(kubernetes) > builtin.KubernetesMinor }

// refused checks the objects of a manifest against the rules of the API server, which may be of a later version than the schema,
// and of the applier. The Problems stand where people wrote the wrong field.
func refused(l *locator, prefix, file, kubernetes string, nodes []*yaml.Node, custom schemas) (problems []platform.Problem) {
	for _, document := range nodes {
		object := document.Content[0]
		faults := refusals(object, custom)
		if len(faults) == 0 {
			continue
		}
		at := l.index(object, prefix)
		for _, f := range faults {
			p := l.problem(at, object, file, f)
			if f.Schema && isLater(kubernetes) {
				p = later(kubernetes, p)
			}
			problems = append(problems, p)
		}
	}
	return problems
}

// index finds a rendered object among those of the skeleton, or -1. Names of generated ones end in a hash.
func (l *locator) index(object *yaml.Node, prefix string) int {
	kind, name := valueOf(object, "kind"), strings.TrimPrefix(valueOf(mappingOf(object, "metadata"), "name"), prefix)
	generated := -1
	for n, o := range l.skeleton.Objects {
		switch {
		case o.Kind != kind || o.APIVersion != valueOf(object, "apiVersion"):
		case o.Name == name:
			return n
		case strings.HasPrefix(name, o.Name+"-") && o.Line == 0:
			generated = n
		}
	}
	return generated
}

// refusedAsWritten finds the Problems for which every request of a version would be refused, those by the schema of Kubernetes'
// own kinds apart. Those that depend on a request's values are looked for where it is rendered; so is an entry that only some
// choice of components has twice.
func refusedAsWritten(v *platform.Version, base, whole *skeleton) (refused, bySchema []platform.Problem) {
	for _, s := range []*skeleton{base, whole} {
		if s.err != nil {
			continue
		}
		l := locatorIn(v, s)
		for n, text := range s.Texts {
			for _, f := range refusals(text.Content[0], nil) {
				if s == whole && f.Rule == "duplicate-entry" {
					continue
				}
				if _, _, written := s.Written(n, plainSteps(f.Path)); written {
					continue
				}
				if p := l.problem(n, text.Content[0], kustomizationOf(v), f); f.Schema {
					bySchema = append(bySchema, p)
				} else {
					refused = append(refused, p)
				}
			}
		}
	}
	return eachOnce(refused), eachOnce(bySchema)
}

func eachOnce(problems []platform.Problem) []platform.Problem {
	slices.SortFunc(problems, platform.Problem.Compare)
	return slices.CompactFunc(problems, platform.Problem.Same)
}
