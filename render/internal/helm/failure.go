package helm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// position is a template with a line, as errors of templates name it. Text that tpl executes has no file of its own.
	position = regexp.MustCompile(`(?:^|template: |error at \()([^ :()\n]+):(\d+)(?::(\d+))?`)
	executed = regexp.MustCompile(`at <([^\n]*?)>:\s+`)
	called   = regexp.MustCompile(`^error calling (\w+):\s+`)
	ended    = regexp.MustCompile(`^(?:execution|parse) error at \([^)]*\): `)
	mismatch = regexp.MustCompile(`^\s*- at '([^']*)': (.*)$`)
)

const ofTpl = "gotpl" // the name that Helm gives to text that tpl executes

// failure is an error of the engine as "FILE:LINE:COLUMN: MESSAGE", about the innermost of the templates that include
// each other.
func failure(chart string, err error) error {
	text := strings.TrimSpace(err.Error())
	at := ""
	for _, m := range position.FindAllStringSubmatch(text, -1) {
		if m[1] == ofTpl {
			continue
		}
		at = strings.TrimPrefix(m[1], chart+"/") + ":" + m[2]
		if m[3] != "" {
			at += ":" + m[3]
		}
	}
	message := ended.ReplaceAllString(text, "")
	if all := executed.FindAllStringSubmatchIndex(text, -1); len(all) > 0 {
		last := all[len(all)-1]
		message = text[last[1]:]
		if m := called.FindStringSubmatch(message); m != nil {
			message = m[1] + ": " + message[len(m[0]):]
		} else {
			message = shorten(text[last[2]:last[3]]) + ": " + message
		}
	}
	message = strings.Join(strings.Fields(message), " ")
	if at == "" {
		return errors.New("Chart.yaml: " + message)
	}
	return errors.New(at + ": " + message)
}

func shorten(expression string) string {
	if runes := []rune(expression); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return expression
}

// schemaFailure is an error of checking values against the schemas of the charts, as "values.schema.json: /POINTER: MESSAGE; …".
func schemaFailure(err error) error {
	var found []string
	prefix, charts := "", 0
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		m := mismatch.FindStringSubmatch(line)
		switch {
		case m != nil:
			found = append(found, fmt.Sprintf("%s: %s", prefix+m[1], m[2]))
		case strings.HasSuffix(line, ":") && !strings.Contains(line, " "):
			if charts++; charts > 1 {
				prefix = "/" + strings.TrimSuffix(line, ":")
			}
		}
	}
	slices.Sort(found)
	if len(found) == 0 {
		return errors.New("values.schema.json: " + strings.Join(strings.Fields(err.Error()), " "))
	}
	return errors.New("values.schema.json: " + strings.Join(found, "; "))
}
