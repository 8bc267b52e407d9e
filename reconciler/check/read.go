package check

import (
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
	var said struct {
		Pass    *bool  `json:"pass"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return Answer{Message: fmt.Sprintf(`answered %s, not JSON {"pass": true, "message": "…"}`, named(kind))}
	}
	if said.Pass == nil {
		return Answer{Message: `answered JSON without "pass": true or false`}
	}
	a := Answer{Verdict: promotion.Fails, Message: brief(said.Message)}
	if *said.Pass {
		a.Verdict = promotion.Passes
	}
	return a
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
