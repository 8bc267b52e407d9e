package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"

	"transom.dev/reconciler/promotion"
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
// the opposite of the value that is read.
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
