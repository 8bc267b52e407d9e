package golden

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/strictyaml"
	"transom.dev/render/wording"
)

// observedFile has the values of observed outputs that the requests of a case have told. A Request in a file of that name is a request.
const observedFile = "observed.yaml"

// observed reads the values that a case gives, by request and output.
func (s *setting) observed() (file *strictyaml.Object, values map[string]map[string]any) {
	data, given := s.files[observedFile]
	if !given {
		return nil, nil
	}
	if isRequest(data) {
		return nil, nil
	}
	file, problems := strictyaml.Parse(data)
	if len(problems) == 0 {
		problems = file.Decode(&values)
	}
	for _, p := range problems {
		s.Problems = append(s.Problems, platform.FromYAML(path.Join(s.Dir, observedFile), p))
	}
	return file, values
}

// isRequest reports whether a file has an object with a kind.
func isRequest(data []byte) bool {
	file, _ := strictyaml.Parse(data)
	return file.Has("kind")
}

// told makes the records of the requests beside the case's: each observed output has the value that the case gives, or else its example.
func (s *setting) told() map[platform.RequestKey]*state.Release {
	file, values := s.observed()
	refuse := func(field, format string, args ...any) {
		p := platform.Problem{File: path.Join(s.Dir, observedFile), Field: field, Rule: "observed", Message: fmt.Sprintf(format, args...)}
		p.Line, p.Column = file.Position(field)
		s.Problems = append(s.Problems, p)
	}
	records, others := map[platform.RequestKey]*state.Release{}, map[string]bool{}
	for _, i := range s.loaded.Instances(s.environment) {
		k := i.Request.Key
		if k == s.key {
			continue
		}
		others[k.Name] = true
		r := &state.Release{Key: k}
		given := maps.Clone(values[k.Name])
		for n, o := range i.Version.Observed {
			value := i.Version.Examples[n]
			if own, there := given[o.Name]; there {
				accepted, fault := o.Accept(own)
				if fault != "" {
					refuse(k.Name+"."+o.Name, "is no value that would be recorded: it%s", strings.TrimPrefix(fault, o.Path))
				}
				value = accepted
			}
			delete(given, o.Name)
			for cluster := range s.loaded.Clusters {
				r.Observe(cluster, o.Name, state.Observed{Value: value})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(given)) {
			refuse(k.Name+"."+name, "%s observes no output of that name", i.Version)
		}
		if len(i.Version.Observed) > 0 {
			records[k] = r
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !others[name] {
			refuse(name, "there is no such request beside the case's own%s", wording.Suggest(name, slices.Sorted(maps.Keys(others))))
		}
	}
	return records
}
