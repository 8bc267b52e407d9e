package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// functions are those of the templates.
func functions(l *links) template.FuncMap {
	return template.FuncMap{
		"short": short, "image": wording.Image, "images": images, "text": text, "verdict": func(h state.Health) verdict { return verdict(h) },
		"waitingVerdict": waitingVerdict, "ago": ago, "lasting": lasting, "requestLink": requestLink,
		"numbered": func(name string, n int) string {
			if n == 0 {
				return name
			}
			return fmt.Sprintf("%s (%d)", name, n)
		},
		"item": func(link, name string, chosen bool) navigation { return navigation{link, name, chosen} },
		"clip": clip, "up": func(a, b int) int { return a - b }, "down": func(a, b int) int { return a + b }, "cellName": cellName, "cellVersion": cellVersion,
		"flag": flagOf, "gateNames": gateNames, "nextName": nextName, "opensAt": opensAt, "fileLink": l.file, "commitLink": l.commit, "approveLink": l.approve, "admitLink": l.admit, "editLink": editLink, "planLink": planLink, "changed": changedText, "decisionsOf": decisionsOf,
		"join": strings.Join, "reach": reachOf, "passed": passedText, "count": terminalCount,
		"podsLink": podsLink, "manifestsLink": manifestsLink, "fewOf": fewOf, "restOf": restOf, "thingLink": thingLink, "objectName": objectName, "diffLines": diffLines, "lines": tails, "source": sourceOf,
	}
}

// short is how people read a hash.
func short(hash string) string {
	hash = strings.TrimPrefix(hash, "sha256:")
	return hash[:min(len(hash), 7)]
}

// images are the parameters that an offering marks to be shown, and the images that run.
func images(in *status.Instance, p *status.Placement) string {
	var parts []string
	for _, shown := range in.Display {
		parts = append(parts, shown.Name+"="+shown.Value)
	}
	if p != nil {
		for _, one := range p.Images {
			parts = append(parts, wording.Image(one))
		}
	}
	return strings.Join(parts, " ")
}

// text is a value of an output as people read it.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// ago says how long ago a time was, or how long it is until then. That changes with the clock: so that a page at rest stays the same
// page, the server gives the time of day, and the script turns it into these words.
func ago(t time.Time) template.HTML { return timeOf(t, "ago", "") }

// lasting says for how long something has been so, in the same way.
func lasting(t time.Time) template.HTML { return timeOf(t, "ago lasting", "since ") }

func timeOf(t time.Time, class, before string) template.HTML {
	if t.IsZero() {
		return ""
	}
	return template.HTML(`<time class="` + class + `" datetime="` + t.UTC().Format(time.RFC3339) + `">` + before + t.UTC().Format("2 Jan 15:04 UTC") + `</time>`) //nolint:gosec // a time has no markup
}

func requestLink(key platform.RequestKey, environment string) string {
	link := "/requests/" + url.PathEscape(key.Team) + "/" + url.PathEscape(key.Name)
	if environment != "" {
		link += "?environment=" + url.QueryEscape(environment)
	}
	return link
}

// A flag is a word about a placement's part in a rollout.
type flag struct{ Text, Title, Class string }

// flagOf says that a rollout is under way and has not reached a placement, came back, or stopped; nil: there is none.
func flagOf(in *status.Instance, p *status.Placement) *flag {
	r := in.Rollout
	switch {
	case r == nil || p == nil:
		return nil
	case r.Stopped != "":
		return &flag{"stopped", r.Stopped, "failed"}
	case slices.Contains(r.Pending, p.Cluster):
		return &flag{"waits for its wave", "its wave is still to come", ""}
	case r.Cause == state.CauseRollback:
		why := ""
		if causes := status.Causes(in.Rejected); len(causes) > 0 {
			why = causes[len(causes)-1].String()
		}
		return &flag{"rolled back", why, "failed"}
	}
	if p.Health == state.Progressing {
		return nil // the word for that stands beside it
	}
	return &flag{"in a rollout", string(r.Cause) + ", not healthy in all waves yet", ""}
}

func gateNames(gates []status.Gate) string {
	var names []string
	for _, g := range gates {
		names = append(names, string(g.Name))
	}
	return strings.Join(names, ", ")
}

// opensAt is when the first of some gates opens by itself; zero: none does, or it is not known.
func opensAt(gates []status.Gate) time.Time {
	for _, g := range gates {
		if !g.At.IsZero() {
			return g.At
		}
	}
	return time.Time{}
}

// reachOf names the unusual state of a cluster; nil: it is active and answers.
func reachOf(c status.Cluster) *flag {
	switch {
	case c.Name == "":
		return nil
	case !c.Reachable && c.Since.IsZero() && c.Message == "":
		return &flag{"connecting", "", ""}
	case !c.Reachable:
		return &flag{"unreachable", c.Message, "failed"}
	case c.Problem != "":
		return &flag{"not written", c.Problem, "failed"}
	case c.State != "active":
		return &flag{c.State, c.Reason, "progressing"}
	}
	return nil
}

// passedText tells of a gate that a release passed.
func passedText(g state.PassedGate) string {
	figure := g.Figure
	if g.Gate == gate.Rollout { // the record has the name of the group
		switch {
		case strings.HasPrefix(figure, "environment:values:"):
			figure = "of new values that it is bound to"
		case strings.HasPrefix(figure, "environment:"):
			figure = "of what the environment changed"
		default:
			figure = "of " + strings.TrimPrefix(figure, "version:")
		}
	}
	parts := []string{string(g.Gate), figure, g.Author}
	if g.Decision != "" {
		parts[2] = strings.TrimSpace("by " + g.Decision + " " + g.Author)
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// terminalCount is a number with its noun.
func terminalCount(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// A navigation is an entry of the navigation.
type navigation struct {
	Link, Name string
	Chosen     bool
}

// clip shortens a text for a picture, in which text does not wrap.
func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// cellName is the name of a cell, by which a browser keeps the focus.
func cellName(c cell) string {
	name := c.In.Request.String() + "/" + c.In.Environment
	if c.Placement != nil && c.Total == 0 {
		name += "/" + c.Placement.Cluster
	}
	return name
}

// nextName is the word by which a release that waits differs from the one that runs: its version, or its image where the version is the same.
func nextName(in *status.Instance) string {
	c := in.Candidate
	switch {
	case c == nil:
		return "change"
	case c.Absent:
		return "removal"
	case c.Version == in.Version:
		for _, d := range c.Changes {
			if strings.HasSuffix(d.Field, ".image") && d.After != "" {
				return wording.Image(d.After)
			}
		}
	}
	return c.Version
}

func cellVersion(c cell) string {
	if c.Placement != nil && c.Placement.Version != "" {
		return c.Placement.Version
	}
	return cmp.Or(c.In.Version, "–")
}
