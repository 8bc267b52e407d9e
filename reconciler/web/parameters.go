package web

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"transom.dev/render/wording"
)

// readParameters fills a struct from a request: its fields with the tag path from the path, those with the tag query from the query.
// An unknown parameter of the query is an error, because a filter that is silently ignored answers another question. The tags enum,
// minimum and required bound the values, and describe them in the document of the API.
func readParameters[P any](r *http.Request) (p P, err error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return p, refuse(http.StatusBadRequest, "the query cannot be read: %s; write & between parameters, and a character that has a meaning there as %%XX", wording.Shorten(err.Error()))
	}
	into := reflect.ValueOf(&p).Elem()
	if into.Kind() != reflect.Struct {
		return p, checkQuery(q, nil)
	}
	var known, missing []string
	fields := reflect.VisibleFields(into.Type())
	for _, f := range fields {
		if name := f.Tag.Get("query"); name != "" {
			known = append(known, name)
		}
	}
	if err := checkQuery(q, known); err != nil {
		return p, err
	}
	for _, f := range fields {
		text, name := q.Get(f.Tag.Get("query")), f.Tag.Get("query")
		if inPath := f.Tag.Get("path"); inPath != "" {
			text, name = r.PathValue(inPath), inPath
		}
		switch {
		case name == "":
		case text != "":
			if err := setParameter(into.FieldByIndex(f.Index), f.Tag, name, text); err != nil {
				return p, err
			}
		case f.Tag.Get("required") != "":
			missing = append(missing, name+"=")
		}
	}
	if len(missing) > 0 {
		return p, refuse(http.StatusBadRequest, "%s needs %s", r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], listWords(missing, "and"))
	}
	if checked, ok := any(p).(interface{ check() error }); ok {
		return p, checked.check()
	}
	return p, nil
}

func checkQuery(q url.Values, known []string) error {
	for name, values := range q {
		if !slices.Contains(known, name) {
			there := "none is known here"
			if len(known) > 0 {
				there = "known: " + listWords(known, "and")
			}
			return refuse(http.StatusBadRequest, "unknown parameter %q; %s", name, there)
		}
		if len(values) > 1 {
			return refuse(http.StatusBadRequest, "%s= is there %d times; give it once", name, len(values))
		}
	}
	return nil
}

// setParameter sets a field to the value that a text is.
func setParameter(field reflect.Value, tag reflect.StructTag, name, text string) error {
	if values := tag.Get("enum"); values != "" && !slices.Contains(strings.Split(values, ","), text) {
		return refuse(http.StatusBadRequest, "%s=%.40s: it is %s", name, text, listWords(strings.Split(values, ","), "or"))
	}
	switch field.Kind() {
	case reflect.Bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return refuse(http.StatusBadRequest, "%s=%.40s: it is true or false", name, text)
		}
		field.SetBool(value)
	case reflect.Int:
		least, _ := strconv.Atoi(tag.Get("minimum")) // the tags are constants, which a test reads
		most, _ := strconv.Atoi(tag.Get("maximum"))
		value, err := strconv.Atoi(text)
		if err != nil || value < least || value > most {
			return refuse(http.StatusBadRequest, "%s=%.40s: it is a number from %d to %d", name, text, least, most)
		}
		field.SetInt(int64(value))
	default:
		field.SetString(strings.Clone(text)) // it may be kept with an answer, which must not keep the whole request that it is a part of
	}
	return nil
}

// listWords is words as people list them.
func listWords(words []string, last string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
	return strings.Join(words, "")
}
