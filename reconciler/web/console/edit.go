package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// An Assignment is a value that a request's file is to have at a path below spec.
type Assignment struct {
	Path  []string
	Value any
}

// An editPage is the form of a request that is there: its parameters as its file has them, and the file with other values.
type editPage struct {
	formPage
	Key      platform.RequestKey
	Constant string   // why nothing can be edited here; empty: it can
	Changes  []string // in words
	Command  string   // that makes the same edit in a clone
}

// ofRequests serves the form of a request that is there.
type ofRequests struct{ *Console }

// edit is the form that changes the parameters of a request. The file keeps its comments and its order.
func (c ofRequests) edit(r *http.Request, m *model) (*view, error) {
	key := keyOf(r.PathValue("team"), r.PathValue("name"))
	p := m.Platform.Offers()
	if !c.mayEdit(c.Person(r), key) {
		return nil, forbidden("Requests of " + key.Team + " are edited by its developers.")
	}
	if p == nil || c.Edit == nil {
		return nil, missing("No request can be edited here; \"transom set\" does it in a clone of the platform repository.")
	}
	request := p.Request(key)
	if request == nil {
		return nil, missing("The platform has no request " + key.String() + ".")
	}
	if request.Deferred {
		return nil, missing("The turn of " + key.String() + " is still to come, after others of its merge; try again in a minute.")
	}
	o := p.Offerings[request.Spec.Offering]
	if o == nil || o.Match(request.Spec.Version) == nil {
		return nil, missing("The version that " + key.String() + " asks for is not offered: edit its file, " + request.File + ".")
	}
	v := o.Match(request.Spec.Version)
	fields := fieldsOf(v, c.Sample)
	page := &editPage{Key: key, formPage: formPage{
		Offering: o, Version: v, Team: key.Team, Name: key.Name, Environments: environmentsOf(request), Fields: fields, Bindings: bindingsOf(v),
		Secrets: lacking(secretsOf(v), p, request), Rules: rulesBeside(fields, v), File: request.File, Action: editLink(key),
	}}
	page.change(r.Context(), r.URL.Query(), p, request, c.Edit)
	if page.Constant == "" {
		c.plan(r, m, &page.formPage, key.Team)
	}
	return &view{template: "edit", title: "Edit " + key.String(), section: "fleet", main: page}, nil
}

// mayEdit says whether a person is shown the form of a request.
func (ofRequests) mayEdit(who Person, key platform.RequestKey) bool {
	return who.In != nil && who.In(key.Team)
}

// forbidden is an error that becomes the page 403.
type forbidden string

func (f forbidden) Error() string { return string(f) }

// Code is the status of its answer.
func (forbidden) Code() int { return http.StatusForbidden }

// editLink is the address of the form of a request that is there.
func editLink(key platform.RequestKey) string {
	return "/requests/" + url.PathEscape(key.Team) + "/" + url.PathEscape(key.Name) + "/edit"
}

// environmentsOf are the environments of a request.
func environmentsOf(request *platform.Request) (all []choice) {
	for _, name := range slices.Sorted(maps.Keys(request.Spec.Environments)) {
		all = append(all, choice{name, true})
	}
	return all
}

// change reads the values of a query, tells those that differ from the request's, and writes its file with them.
func (f *editPage) change(ctx context.Context, q url.Values, p *platform.Platform, request *platform.Request, edit func(context.Context, string, []Assignment) (string, error)) {
	values := clone(request.Spec.Parameters)
	var set []Assignment
	for i := range f.Fields {
		one := &f.Fields[i]
		steps := strings.Split(one.Path, ".")
		had, is := valueAt(request.Spec.Parameters, steps)
		if is {
			one.Value = text(had)
		}
		if !q.Has(one.Name) || q.Get(one.Name) == one.Value {
			continue
		}
		f.begin()
		one.Value = q.Get(one.Name)
		value, err := one.read()
		switch {
		case err != nil:
			one.Mistake = err.Error()
		case value == nil:
			one.Mistake = "a value is taken away by removing its line from the file"
		default:
			put(values, steps, value)
			set = append(set, Assignment{append([]string{"parameters"}, steps...), value})
			f.Changes = append(f.Changes, fmt.Sprintf("parameters.%s: %s → %s", one.Path, unsetOr(had, is), text(value)))
			f.Command += " " + quoted(pathOf(steps)+"="+text(value))
		}
	}
	for _, one := range f.rebind(q, p, request) {
		had, is := request.Spec.Bindings[one.Binding]
		if one.Mistake != "" {
			continue
		}
		set = append(set, Assignment{[]string{"bindings", one.Binding}, one.Value})
		f.Changes = append(f.Changes, fmt.Sprintf("bindings.%s: %s → %s", one.Binding, unsetOr(had, is), one.Value))
		f.Command += " " + quoted("bindings."+one.Binding+"="+one.Value)
	}
	f.seal(p)
	f.checkValues(values)
	f.Command = "transom set " + f.Key.String() + f.Command
	file, err := edit(ctx, request.File, set)
	if err != nil {
		f.Constant = err.Error()
	}
	f.show(file)
}

// clone copies maps within maps, so that a value can be put into the copy.
func clone(values map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range values {
		if inner, ok := value.(map[string]any); ok {
			value = clone(inner)
		}
		all[name] = value
	}
	return all
}

// valueAt is the value at a path, and whether there is one.
func valueAt(values map[string]any, steps []string) (any, bool) {
	value, ok := values[steps[0]]
	if len(steps) == 1 || !ok {
		return value, ok
	}
	inner, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	return valueAt(inner, steps[1:])
}

func unsetOr(value any, is bool) string {
	if !is {
		return "unset"
	}
	return text(value)
}

// plainStep is a name that needs no quotes in a path.
var plainStep = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// pathOf is a path as "transom set" takes it.
func pathOf(steps []string) string {
	all := slices.Concat([]string{"parameters"}, steps)
	for i, step := range all {
		if !plainStep.MatchString(step) {
			all[i] = `"` + step + `"`
		}
	}
	return strings.Join(all, ".")
}

// plainWord is a word that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quoted is a word of a command line.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
