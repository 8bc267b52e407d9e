package workspace

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// OfferingNamed finds an offering, or says which there are.
func OfferingNamed(p *platform.Platform, name string) (*platform.Offering, error) {
	if o := p.Offerings[name]; o != nil {
		return o, nil
	}
	if len(p.Offerings) == 0 {
		return nil, fmt.Errorf("no offering %q: there are none; \"transom new offering %s\" starts one", name, name)
	}
	if told := describedWith(p, name); len(told) > 0 {
		return nil, fmt.Errorf("no offering %q; the description of %s has that word", name, strings.Join(told, ", "))
	}
	return nil, Unknown("offering", name, slices.Sorted(maps.Keys(p.Offerings)))
}

// describedWith names the offerings whose title or description has a word, by which the console finds them, too.
func describedWith(p *platform.Platform, word string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		text := strings.ToLower(p.Offerings[name].Title + " " + p.Offerings[name].Description)
		if slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }), strings.ToLower(word)) {
			names = append(names, name)
		}
	}
	return names
}

// VersionNamed finds a published version, or, where no number is given, the one that a new request should take.
func VersionNamed(o *platform.Offering, number string) (*platform.Version, error) {
	if len(o.Versions) == 0 {
		return nil, fmt.Errorf("%s has no version: \"transom new version %s 1.0.0\" starts one", o.Name, o.Name)
	}
	if number == "" {
		return recommended(o), nil
	}
	if v := o.Version(number); v != nil {
		return v, nil
	}
	var published []string
	for _, v := range o.Versions {
		published = append(published, v.Number.String())
	}
	return nil, fmt.Errorf("%s has no version %q; published: %s", o.Name, number, strings.Join(published, ", "))
}

// recommended is the highest active version of an offering, or, without one, the highest that can be used.
func recommended(o *platform.Offering) *platform.Version {
	for _, fits := range []func(*platform.Version) bool{
		func(v *platform.Version) bool {
			return v.Lifecycle == platform.Active && v.Number.Prerelease() == "" && !v.Broken
		},
		func(v *platform.Version) bool { return v.Lifecycle != platform.Withdrawn && !v.Broken },
	} {
		for _, v := range slices.Backward(o.Versions) {
			if fits(v) {
				return v
			}
		}
	}
	return o.Versions[len(o.Versions)-1]
}

// EnvironmentNamed finds an environment, or says which there are.
func EnvironmentNamed(p *platform.Platform, name string) (*platform.Environment, error) {
	if e := p.Environments[name]; e != nil {
		return e, nil
	}
	return nil, Unknown("environment", name, Environments(p))
}

// Unknown says that nothing has a name, which one was probably meant, and which there are.
func Unknown(what, name string, there []string) error {
	all := cmp.Or(strings.Join(there, ", "), "none")
	if meant := wording.Suggest(name, there); meant != "" {
		return fmt.Errorf("no %s %q%s There are: %s", what, name, meant, all)
	}
	return fmt.Errorf("no %s %q; there are: %s", what, name, all)
}

// NoRequest says that nobody knows a request, and which was probably meant.
func NoRequest(p *platform.Platform, key platform.RequestKey) error {
	var there []string
	for _, r := range p.Requests() {
		there = append(there, r.Key.String())
	}
	return fmt.Errorf("no request %s: there is no file requests/%s.yaml%s", key, key, wording.Suggest(key.String(), there))
}
