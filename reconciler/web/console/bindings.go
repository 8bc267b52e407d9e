package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// mostBound is how many requests a field lists to be chosen from. Where more fit, their name is filled in.
const mostBound = 200

// mostTried is how many requests the fields of a form try together, in each environment: a version may have a thousand bindings, and a team ten
// thousand requests of which none fits.
const mostTried = 20_000

// A boundField is a binding of a version as people choose it.
type boundField struct {
	Binding   string
	Name      string // of its input
	Required  bool
	Offerings []string
	Team      string
	Choices   []bindable
	Many      bool // more fit than are listed
	Value     string
	Mistake   string
	Missing   []named // forms that ask for a request that would fit, where the team has none
}

// A bindable is a request that a new one can be bound to.
type bindable struct{ Name, Text string }

// bindingsOf are the bindings of a version, those that are required first.
func bindingsOf(v *platform.Version) (all []boundField) {
	for name, b := range v.Bindings {
		all = append(all, boundField{Binding: name, Name: "b." + name, Required: b.Required, Offerings: b.Offerings})
	}
	slices.SortFunc(all, func(a, b boundField) int {
		if a.Required != b.Required {
			return map[bool]int{true: -1, false: 1}[a.Required]
		}
		return strings.Compare(a.Binding, b.Binding)
	})
	return all
}

// bind reads the bindings of a query, and lists for each the requests of the team that fit in the environments that were chosen.
func (f *formPage) bind(q url.Values, p *platform.Platform) map[string]string {
	bound := map[string]string{}
	environments := f.chosen()
	for i := range f.Bindings {
		one := &f.Bindings[i]
		one.list(p, f, environments)
		if one.Value = strings.TrimSpace(q.Get(one.Name)); one.Value != "" {
			bound[one.Binding] = one.Value
		}
		if f.Begun {
			one.check(p, f, environments)
		}
	}
	return bound
}

// rebind does so for a request that is there, and returns the bindings that are others than its file has.
func (f *formPage) rebind(q url.Values, p *platform.Platform, request *platform.Request) (changed []*boundField) {
	for i := range f.Bindings {
		one := &f.Bindings[i]
		environments := slices.DeleteFunc(f.chosen(), func(environment string) bool {
			_, own := request.Spec.Environments[environment].Bindings[one.Binding]
			return own
		})
		one.list(p, f, environments)
		one.Value = request.Spec.Bindings[one.Binding]
		if !q.Has(one.Name) || strings.TrimSpace(q.Get(one.Name)) == one.Value {
			continue
		}
		f.begin()
		one.Value = strings.TrimSpace(q.Get(one.Name))
		if changed = append(changed, one); one.Value == "" {
			one.Mistake = "a binding is taken away by removing its line from the file"
			continue
		}
		one.check(p, f, environments)
	}
	return changed
}

// tries counts requests that the fields of a form try.
type tries int

// another counts one more, and says whether that may be tried.
func (t *tries) another() bool {
	*t++
	return *t <= mostTried
}

// list finds the requests that fit.
func (b *boundField) list(p *platform.Platform, f *formPage, environments []string) {
	b.Team = f.Team
	for _, request := range p.RequestsOf(f.Team) {
		itself := request.Key.Name == f.Name
		if itself || request.Broken || !slices.Contains(b.Offerings, request.Spec.Offering) {
			continue
		}
		if !f.tried.another() {
			b.Many = true
			return
		}
		if len(misfits(p, f, b.Binding, request.Key, environments)) > 0 {
			continue
		}
		if len(b.Choices) == mostBound {
			b.Many = true
			return
		}
		b.Choices = append(b.Choices, bindable{request.Key.Name, request.Key.Name + " (" + request.Spec.Offering + ")"})
	}
}

// misfits says why the request of a form cannot be bound to another one in the first of the environments in which it cannot.
func misfits(p *platform.Platform, f *formPage, binding string, to platform.RequestKey, environments []string) []string {
	for _, environment := range environments {
		if reasons := p.Misfits(f.Version, binding, to, environment); len(reasons) > 0 {
			return reasons
		}
	}
	return nil
}

// check finds the mistake in a binding that was filled in.
func (b *boundField) check(p *platform.Platform, f *formPage, environments []string) {
	of := strings.Join(b.Offerings, " or ")
	to := platform.RequestKey{Team: f.Team, Name: b.Value}
	wrong := misfits(p, f, b.Binding, to, environments)
	empty := b.Value == ""
	switch {
	case f.Team == "", empty && !b.Required:
	case empty && len(b.Choices) > 0:
		b.Mistake = "choose one: it needs a request of " + of
	case empty:
		b.Mistake = strings.TrimSuffix(fmt.Sprintf("needs a request of %s, and team %s has none in %s", of, f.Team, strings.Join(environments, ", ")), " in ")
		b.Missing = f.asking(b.Offerings, environments)
	case p.Request(to) == nil:
		b.Mistake = "team " + f.Team + " has no request " + b.Value
	case len(wrong) > 0:
		b.Mistake = wrong[0]
	}
}

// asking are the forms that ask for a request of some offerings.
func (f *formPage) asking(offerings, environments []string) (all []named) {
	for _, offering := range offerings {
		q := url.Values{"team": {f.Team}, "environment": environments}
		all = append(all, named{offering, "/catalog/" + url.PathEscape(offering) + "/new?" + q.Encode()})
	}
	return all
}

// chosen are the names of the environments that were chosen.
func (f *formPage) chosen() (names []string) {
	for _, e := range f.Environments {
		if e.Chosen {
			names = append(names, e.Name)
		}
	}
	return names
}

// isChoice says whether the value is among those that are listed.
func (b *boundField) isChoice() bool {
	return slices.ContainsFunc(b.Choices, func(c bindable) bool { return c.Name == b.Value })
}

// Other is a value that was filled in and does not fit: it stays to be seen until another one is chosen.
func (b *boundField) Other() string {
	if b.isChoice() {
		return ""
	}
	return b.Value
}
