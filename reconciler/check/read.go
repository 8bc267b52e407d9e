package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"mime"
	"strconv"
	"strings"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
	"transom.dev/render/wording"
)

// maxMessage bounds the text of an answer that people are shown.
const maxMessage = 300

// readService reads the answer of an HTTP service.
func readService(status, kind string, body []byte) Answer {
	if !strings.HasPrefix(status, "200 ") {
		return Answer{Message: "answered " + brief(status)}
	}
	fields, wrong := fieldsOf(kind, body)
	if wrong != "" {
		return Answer{Message: wrong}
	}
	a := Answer{Verdict: promotion.Fails}
	switch pass, said := fields["pass"]; {
	case !said:
		return Answer{Message: `answered JSON without "pass": true or false`}
	case pass == true:
		a.Verdict = promotion.Passes
	case pass != false:
		return Answer{Message: `answered JSON whose "pass" is neither true nor false`}
	}
	if message := fields["message"]; message != nil {
		text, is := message.(string)
		if !is {
			return Answer{Message: `answered JSON whose "message" is no text`}
		}
		a.Message = brief(text)
	}
	return a
}

// form is the form of a service's answer.
const form = `{"pass": true, "message": "…"}`

// fieldsOf reads the one object that a service answers. Nothing of it is guessed: a field that is there twice, or in capitals, may say
// the opposite of what is read.
func fieldsOf(kind string, body []byte) (fields map[string]any, wrong string) {
	if !json.Valid(body) {
		if media := named(kind); strings.HasSuffix(media, "json") {
			return nil, fmt.Sprintf("answered something that is called %s and cannot be read; it has to be %s", media, form)
		}
		return nil, fmt.Sprintf("answered %s, not JSON %s", named(kind), form)
	}
	tokens := json.NewDecoder(bytes.NewReader(body)) // of valid JSON, so that no token fails
	if first, _ := tokens.Token(); first != json.Delim('{') {
		return nil, "answered JSON that is no object; it has to be " + form
	}
	fields = map[string]any{}
	for tokens.More() {
		key, _ := tokens.Token()
		name, _ := key.(string)
		var value any
		if err := tokens.Decode(&value); err != nil { // a number beyond all bounds, or a nesting
			return nil, fmt.Sprintf("answered JSON whose %q cannot be read", brief(name))
		}
		_, twice := fields[name]
		switch known := strings.ToLower(name); {
		case twice:
			return nil, fmt.Sprintf("answered JSON with %q twice", brief(name))
		case name != known && (known == "pass" || known == "message"):
			return nil, fmt.Sprintf("answered JSON with %q; it has to be %q", brief(name), known)
		}
		fields[name] = value
	}
	return fields, ""
}

// readPrometheus reads the answer of a Prometheus, and compares the one number that it has to be.
func readPrometheus(is inquiry.Comparison, status, kind string, body []byte) Answer {
	var said struct {
		Status, ErrorType, Error string
		Data                     struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &said); err != nil {
		if !strings.HasPrefix(status, "200 ") {
			return Answer{Message: "answered " + brief(status)}
		}
		return Answer{Message: fmt.Sprintf("answered %s, which is not how Prometheus answers", named(kind))}
	}
	if said.Status == "error" {
		return Answer{Message: brief(fmt.Sprintf("Prometheus refuses the query: %s: %s", said.ErrorType, said.Error))}
	}
	value, wrong := numberOf(said.Data.ResultType, said.Data.Result)
	switch {
	case said.Status != "success":
		return Answer{Message: fmt.Sprintf("answered %s, which is not how Prometheus answers", named(kind))}
	case wrong != "":
		return Answer{Message: wrong}
	case math.IsNaN(value):
		return Answer{Message: "the query's value is NaN, as where nothing is divided by nothing; that is no number to compare"}
	}
	number := strconv.FormatFloat(value, 'g', 6, 64)
	if is.Holds(value) {
		return Answer{Verdict: promotion.Passes, Message: fmt.Sprintf("%s is %s", number, is)}
	}
	return Answer{Verdict: promotion.Fails, Message: fmt.Sprintf("%s is not %s", number, is)}
}

// numberOf is the one number of a result, or the reason why it has not one.
func numberOf(kind string, result json.RawMessage) (value float64, wrong string) {
	var sample [2]any // a time, and the value as text
	switch kind {
	case "scalar":
		if json.Unmarshal(result, &sample) != nil {
			return 0, "the query's scalar cannot be read"
		}
	case "vector":
		var series []struct{ Value [2]any }
		switch err := json.Unmarshal(result, &series); {
		case err != nil:
			return 0, "the query's vector cannot be read"
		case len(series) == 0:
			return 0, "the query finds no series"
		case len(series) > 1:
			return 0, fmt.Sprintf("the query finds %d series; make one of them, such as with sum() or max()", len(series))
		}
		sample = series[0].Value
	default:
		return 0, fmt.Sprintf("the query results in a %s, not in one number", brief(kind))
	}
	text, _ := sample[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Sprintf("the query's value %q is no number", brief(text))
	}
	return value, ""
}

// named is the media type of an answer, in words.
func named(kind string) string {
	if media, _, err := mime.ParseMediaType(kind); err == nil {
		return brief(media)
	}
	return "something of no type"
}

// brief makes text from outside one line that people may be shown.
func brief(text string) string {
	text = strings.Join(strings.Fields(wording.Clean(text)), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return text
}
