package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// readPrometheus reads the answer of a Prometheus, and compares the one number that it has to be. Nothing of it is guessed: where two
// readers may understand an answer differently, there is no number.
func readPrometheus(is inquiry.Comparison, status, kind string, body []byte) Answer {
	said, wrong := prometheusFields(body)
	switch text := said["status"]; {
	case !strings.HasPrefix(status, "200 ") && (wrong != "" || text != "error"):
		return Answer{Message: "answered " + brief(status)}
	case wrong != "" || text != "error" && text != "success":
		return Answer{Message: fmt.Sprintf("answered %s, which is not how Prometheus answers%s", named(kind), wrong)}
	case text == "error":
		return Answer{Message: brief(fmt.Sprintf("Prometheus refuses the query: %s: %s", textIn(said, "errorType"), textIn(said, "error")))}
	}
	if said["warnings"] != nil {
		if warnings, is := said["warnings"].([]any); !is || len(warnings) > 0 {
			return Answer{Message: brief("Prometheus warns of its answer, which may be of a part of the data only: " + firstText(warnings))}
		}
	}
	data, _ := said["data"].(map[string]any)
	value, wrong := numberOf(textIn(data, "resultType"), data["result"])
	switch {
	case wrong != "":
		return Answer{Message: wrong}
	case math.IsNaN(value):
		return Answer{Message: "the query's value is NaN, as where nothing is divided by nothing; that is no number to compare"}
	}
	shown := strconv.FormatFloat(value, 'g', 6, 64)
	if is.IsMet(value) {
		return Answer{Verdict: promotion.Passes, Message: fmt.Sprintf("%s is %s", shown, is)}
	}
	return Answer{Verdict: promotion.Fails, Message: fmt.Sprintf("%s is not %s", shown, is)}
}

// prometheusFields reads the one object that a Prometheus answers. A map has the names of fields as they are, where a struct would
// take those in capitals too.
func prometheusFields(body []byte) (fields map[string]any, wrong string) {
	if !json.Valid(body) {
		return nil, ""
	}
	tokens := json.NewDecoder(bytes.NewReader(body)) // of valid JSON, so that no token fails
	tokens.UseNumber()                               // whatever its size
	value, twice := decodeOnce(tokens)
	if twice != "" {
		return nil, fmt.Sprintf(": %q is there twice", brief(twice))
	}
	fields, _ = value.(map[string]any)
	return fields, ""
}

// decodeOnce decodes one value, and returns a key that some object in it has twice.
func decodeOnce(tokens *json.Decoder) (value any, twice string) {
	token, _ := tokens.Token()
	switch token {
	case json.Delim('['):
		list := []any{}
		for tokens.More() {
			item, again := decodeOnce(tokens)
			list, twice = append(list, item), first(twice, again)
		}
		_, _ = tokens.Token()
		return list, twice
	case json.Delim('{'):
		fields := map[string]any{}
		for tokens.More() {
			key, _ := tokens.Token()
			name, _ := key.(string)
			if _, there := fields[name]; there {
				twice = first(twice, name)
			}
			item, again := decodeOnce(tokens)
			fields[name], twice = item, first(twice, again)
		}
		_, _ = tokens.Token()
		return fields, twice
	}
	return token, ""
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// firstText is the first text of a list.
func firstText(list []any) string {
	for _, item := range list {
		if text, is := item.(string); is {
			return text
		}
	}
	return "it does not say why"
}

// textIn is a field that has to be text, or nothing.
func textIn(fields map[string]any, name string) string {
	text, _ := fields[name].(string)
	return text
}

// sample is the form of a sample: a time, and the value as text.
const sample = `[time, "value"]`

// numberOf is the one number of a result, or the reason why it has not one.
func numberOf(kind string, result any) (value float64, wrong string) {
	switch kind {
	case "scalar":
		return sampled(kind, result)
	case "vector":
	case "":
		return 0, "answered success without a result of any type, which is not how Prometheus answers"
	default:
		return 0, fmt.Sprintf("the query results in a %s, not in one number", brief(kind))
	}
	series, is := result.([]any)
	switch {
	case !is:
		return 0, "the query's vector is no list of series"
	case len(series) == 0:
		return 0, "the query finds no series"
	case len(series) > 1:
		return 0, fmt.Sprintf("the query finds %d series; make one of them, such as with sum() or max()", len(series))
	}
	only, _ := series[0].(map[string]any)
	if _, is := only["histogram"]; is {
		return 0, "the query finds a histogram, not one number; take one of it, such as with histogram_quantile()"
	}
	return sampled("series", only["value"])
}

// number is how Prometheus writes one. Go reads hexadecimal numbers, underscores and infinities of any case too.
var number = regexp.MustCompile(`^(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|[-+]Inf|NaN)$`)

// sampled is the number of a sample.
func sampled(of string, v any) (value float64, wrong string) {
	pair, _ := v.([]any)
	if len(pair) != 2 {
		return 0, fmt.Sprintf("the query's %s has no value of the form %s", of, sample)
	}
	_, timed := pair[0].(json.Number)
	text, is := pair[1].(string)
	if !timed || !is {
		return 0, fmt.Sprintf("the query's %s has no value of the form %s", of, sample)
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !number.MatchString(text) {
		return 0, fmt.Sprintf("the query's value %q is no number", brief(text))
	}
	return value, ""
}
