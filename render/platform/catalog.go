package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version returns the version of a number; nil: there is none, or no offering.
func (o *Offering) Version(number string) *Version {
	if o == nil {
		return nil
	}
	if i := slices.IndexFunc(o.Versions, func(v *Version) bool { return v.Number.String() == number }); i >= 0 {
		return o.Versions[i]
	}
	return nil
}

// Before is the version that another one follows: the next lower one that can be used. nil: it is the first, or has a Problem itself.
func (o *Offering) Before(v *Version) *Version {
	for _, one := range slices.Backward(o.Versions) {
		if !v.Broken && !one.Broken && one.Number.LessThan(v.Number) {
			return one
		}
	}
	return nil
}

// Match returns the version that a constraint means, as resolving a request does, or nil where none matches. It may
// be Broken.
func (o *Offering) Match(constraint string) *Version {
	v, _ := match(o, constraint)
	return v
}

// Constraint is the widest constraint that means a version now.
func (o *Offering) Constraint(v *Version) string {
	ranges := []string{fmt.Sprint(v.Number.Major()), fmt.Sprintf("%d.%d", v.Number.Major(), v.Number.Minor())}
	if v.Number.Major() == 0 {
		ranges = ranges[1:] // before 1.0.0 a minor version may break
	}
	for _, r := range ranges {
		if found := o.Match(r); found != nil && found.Number.Equal(v.Number) {
			return r
		}
	}
	return v.Number.String()
}

// String says which offerings a binding takes, and whether a request must have it.
func (b binding) String() string {
	text := "a request of " + strings.Join(b.Offerings, " or ")
	if b.Required {
		text += ", required"
	}
	return text
}

// As returns the instance as it would be with another version of its offering: its request's parameters merged,
// defaulted and validated for that one.
func (i *Instance) As(v *Version) (*Instance, []Problem) {
	m := mergeParameters(&requestFile{request: i.Request}, i.Environment.Name, v)
	other := *i
	other.Version, other.Parameters, other.Long, other.Release = v, m.parameters, m.long, release(i.Request, v)
	other.Bindings = maps.Clone(i.Bindings)
	maps.DeleteFunc(other.Bindings, func(name string, _ RequestKey) bool { _, declared := v.Bindings[name]; return !declared })
	return &other, m.problems
}
