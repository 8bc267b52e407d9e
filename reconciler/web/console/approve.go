package console

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/reconciler/status"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
)

// mostName is how long the name of a decision may be.
const mostName = 63

// An approval is the file of an Approval that somebody may merge.
type approval struct {
	environment, name string
	spec              map[string]string
}

// approvalOf lets the next release of an instance in, as "transom promote" writes it. A release that was rejected is let in again only by an Approval
// that was not there before, so that its name is one that no decision has.
func approvalOf(p *platform.Platform, in *status.Instance) approval {
	end := "-" + short(in.Candidate.Release)
	about := in.Request.Team + "-" + in.Request.Name
	a := approval{in.Environment, strings.TrimRight(about[:min(len(about), mostName-len(end)-3)], "-") + end, map[string]string{"request": in.Request.String(), "release": in.Candidate.Release}}
	taken := func(name string) bool {
		file := path.Join("decisions", a.environment, name+".yaml")
		return p != nil && slices.ContainsFunc(p.Decisions, func(d *platform.Decision) bool { return d.File == file })
	}
	first := a.name
	for n := 2; taken(a.name); n++ {
		a.name = first + "-" + strconv.Itoa(n)
	}
	return a
}

// content is the text of the file.
func (a approval) content() string {
	type metadata struct {
		Name string `yaml:"name"`
	}
	file := struct {
		APIVersion string            `yaml:"apiVersion"`
		Kind       decision.Kind     `yaml:"kind"`
		Metadata   metadata          `yaml:"metadata"`
		Spec       map[string]string `yaml:"spec"`
	}{platform.APIVersion, decision.Approval, metadata{a.name}, a.spec}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return "# " + err.Error()
	}
	return b.String()
}

// approve is the page of the forge that makes the Approval of a digest, such as that of a plan; empty: none is known.
func (l *links) approve(environment, field, digest string) string {
	return l.make(approval{environment, field + "-" + short(digest), map[string]string{field: digest}})
}

// admit is the page of the forge that makes the Approval of the release that waits for an instance; empty: none is known, or none opens its gates.
func (l *links) admit(in *status.Instance) string {
	m := l.cache.latest()
	if m == nil || in == nil || in.Candidate == nil || !slices.ContainsFunc(in.Waiting, opensByPerson) {
		return ""
	}
	return l.make(approvalOf(m.Platform.Offers(), in))
}

func (l *links) make(a approval) string {
	return l.forge().create("decisions/"+a.environment, a.name+".yaml", a.content())
}
