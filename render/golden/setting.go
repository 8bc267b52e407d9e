package golden

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/strictyaml"
)

// A setting is the platform that a case is rendered in.
type setting struct {
	*tester
	*Case
	files   map[string][]byte
	changes map[string][]byte
	origin  map[string]string // of files of the setting, in the case
}

func (s *setting) report(file, rule, format string, args ...any) {
	s.Problems = append(s.Problems, platform.Problem{File: file, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// add puts one of the case's files into the setting.
func (s *setting) add(name, file string, data []byte) {
	s.changes[name] = data
	s.origin[name] = path.Join(s.Dir, file)
}

// prepare lists the files in which the setting differs from the platform, and reports whether there is a request to render
// in it.
func (s *setting) prepare() bool {
	data, there := s.files["request.yaml"]
	if !there {
		s.report(s.Dir, "test", "has no request.yaml")
		return false
	}
	name, environments := s.outline(data)
	if len(s.Problems) > 0 {
		return false
	}
	s.key = platform.RequestKey{Team: testTeam, Name: name}
	s.environment = environments[0]
	s.add(s.key.File(), "request.yaml", data)
	for _, file := range slices.Sorted(maps.Keys(s.files)) {
		if file == observedFile && !isRequest(s.files[file]) {
			continue
		}
		if !slices.Contains([]string{"request.yaml", "want.yaml", "environment.yaml", "cluster.yaml"}, file) {
			s.add("requests/"+testTeam+"/"+file, file, s.files[file])
		}
	}
	s.onlyThisVersion()
	s.addEnvironment(environments)
	return len(s.Problems) == 0
}

// outline finds the name of a request and its environments in the order in which they are written.
func (s *setting) outline(data []byte) (name string, environments []string) {
	file := path.Join(s.Dir, "request.yaml")
	documents, problems := strictyaml.Scan(data, strictyaml.Options{})
	for _, p := range problems {
		s.Problems = append(s.Problems, platform.FromYAML(file, p))
	}
	if len(problems) > 0 || len(documents) == 0 {
		return "", nil
	}
	if n := lookupNode(documents[0], "metadata", "name"); n != nil {
		name = n.Value
	}
	if n := lookupNode(documents[0], "spec", "environments"); n != nil {
		for i := 0; i+1 < len(n.Content); i += 2 {
			environments = append(environments, n.Content[i].Value)
		}
	}
	if name == "" || !fs.ValidPath(name) || strings.Contains(name, "/") {
		s.report(file, "test", "metadata.name is required")
	}
	if len(environments) == 0 {
		s.report(file, "test", "spec.environments must name at least one environment")
	}
	return name, environments
}

func lookupNode(n *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		i := 0
		for i < len(n.Content) && n.Content[i].Value != name {
			i += 2
		}
		if i >= len(n.Content) {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

// onlyThisVersion leaves the offering the version that is tested, for any team and in any lifecycle.
func (s *setting) onlyThisVersion() {
	offering := s.platform.Offerings[s.Version.Offering]
	for _, v := range offering.Versions {
		if v != s.Version {
			s.changes[v.Dir] = nil
		}
	}
	s.changes[path.Join("offerings", offering.Name, "offering.yaml")] = fmt.Appendf(nil,
		"apiVersion: %s\nkind: Offering\nmetadata: {name: %q}\nspec: {}\n", platform.APIVersion, offering.Name)
}

// addEnvironment puts the case's environment and cluster in the place of the platform's, and makes those that the platform
// lacks.
func (s *setting) addEnvironment(environments []string) {
	made := false
	for _, name := range environments {
		file := "environments/" + name + ".yaml"
		own, given := s.files["environment.yaml"]
		switch {
		case given && name == s.environment:
			s.add(file, "environment.yaml", s.complete(own))
		case s.platform.Environments[name] == nil:
			s.changes[file] = fmt.Appendf(nil, "apiVersion: %s\nkind: Environment\nmetadata: {name: %q}\nspec: {state: {url: %q}, clusters: {}}\n",
				platform.APIVersion, name, "../state-"+name+".git")
			made = made || name == s.environment
		}
	}
	cluster, given := s.files["cluster.yaml"]
	switch {
	case given:
		var header struct{ Metadata struct{ Name string } }
		if err := yaml.Unmarshal(cluster, &header); err != nil || !fs.ValidPath(header.Metadata.Name) || strings.Contains(header.Metadata.Name, "/") {
			s.report(path.Join(s.Dir, "cluster.yaml"), "test", "metadata.name is required")
			return
		}
		s.changes["clusters"] = nil
		s.add("clusters/"+header.Metadata.Name+".yaml", "cluster.yaml", cluster)
	case made:
		s.changes["clusters"] = nil
		s.changes["clusters/"+testCluster+".yaml"] = fmt.Appendf(nil, "apiVersion: %s\nkind: Cluster\nmetadata: {name: %s}\nspec: {}\n",
			platform.APIVersion, testCluster)
	}
}

// complete adds to an Environment the required fields that a test has no use for.
func (s *setting) complete(data []byte) []byte {
	var environment map[string]any
	if err := sigsyaml.Unmarshal(data, &environment); err != nil {
		return data // loading it says so
	}
	spec, ok := environment["spec"].(map[string]any)
	if !ok {
		return data
	}
	for name, absent := range map[string]any{"state": map[string]any{"url": "../state-" + s.environment + ".git"}, "clusters": map[string]any{}} {
		if spec[name] == nil {
			spec[name] = absent
		}
	}
	completed, err := sigsyaml.Marshal(environment)
	if err != nil {
		return data
	}
	return completed
}

// show renders the case's request in a manner.
func (s *setting) show(as render.Manner) (render.Rendered, []platform.Problem) {
	return s.Case.show(&s.renderer, as)
}

// render renders the case's request and keeps the Problems of its own files and of rendering.
func (s *setting) render() {
	for _, problem := range s.loaded.Problems {
		if file, own := s.origin[problem.File]; own && !problem.Warning {
			problem.File, problem.Request, problem.Environment = file, nil, ""
			s.Problems = append(s.Problems, problem)
		}
	}
	s.records = s.told()
	if len(s.Problems) > 0 {
		return
	}
	if e := s.loaded.Environments[s.environment]; e != nil && e.Broken && s.origin[e.File] == "" {
		s.blocked[e.File] = append(s.blocked[e.File], s.Case)
		return
	}
	rendered, problems := s.show(render.Manner{Unsigned: true})
	for _, problem := range problems {
		if problem.Warning && problem.Rule != "policy" {
			continue // of the version; that is told where it is requested
		}
		problem.File = cmp.Or(s.origin[problem.File], problem.File)
		problem.Request, problem.Environment = nil, ""
		s.Problems = append(s.Problems, problem)
	}
	if !s.broken() {
		s.Got = rendered.Manifest
	}
	if s.Got == nil || s.Want == nil || bytes.Equal(s.Got, s.Want) {
		return
	}
	if s.loaded.Environments[s.environment].External {
		if signed, _ := s.show(render.Manner{}); bytes.Equal(signed.Manifest, s.Want) {
			s.Got = s.Want // it was written where another agent applies
			return
		}
	}
	for _, earlier := range render.EarlierRenderers() {
		made := &state.Placement{Renderer: earlier.Number}
		before, _ := s.show(render.Manner{Made: made, Unsigned: true})
		if bytes.Equal(before.Manifest, s.Want) {
			s.before = earlier.Did
		}
	}
}
