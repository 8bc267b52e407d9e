package apply

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// Adoption lists the effects that taking over the objects of an instance would have on them, where a person decides.
type Adoption struct {
	Digest  string   `json:"digest"` // names exactly these effects on these objects, on any cluster
	Effects []Effect `json:"effects"`
}

// Effect says how taking over one object would change it.
type Effect struct {
	Object  Object     `json:"object"`
	Outside bool       `json:"outside,omitempty"` // it lies outside the team's namespace
	Fields  []string   `json:"fields,omitempty"`  // that would go, such as data.legacy
	Selects *Selection `json:"selects,omitempty"` // nil: the same as before
	Agent   string     `json:"agent,omitempty"`   // that applies the object, and goes on unless it is stopped
}

// Selection is a change of the selector by which an object selects pods.
type Selection struct {
	Before    string `json:"before"`
	After     string `json:"after"`
	Pods      int    `json:"pods"`      // that it selects now
	PodsAfter int    `json:"podsAfter"` // of the pods that are there now
}

// String says how an object would change.
func (e Effect) String() string {
	var parts []string
	if e.Outside {
		parts = append(parts, "it lies outside the team's namespace")
	}
	if len(e.Fields) > 0 {
		parts = append(parts, "it would lose "+strings.Join(e.Fields, ", "))
	}
	if s := e.Selects; s != nil {
		parts = append(parts, fmt.Sprintf("it selects %s (%d pods now) and would select %s (%d)", s.Before, s.Pods, s.After, s.PodsAfter))
	}
	if e.Agent != "" {
		parts = append(parts, e.Agent+" applies it: suspend that first")
	}
	return e.Object.String() + ": " + strings.Join(parts, "; ")
}

// named is an effect without the numbers that change by themselves.
func (e Effect) named() map[string]any {
	about := map[string]any{"object": e.Object.line(), "outside": e.Outside, "fields": e.Fields}
	if e.Selects != nil {
		about["selects"] = []string{e.Selects.Before, e.Selects.After}
	}
	return about
}

// admits is the digest by which the inventory remembers an effect that a person approved: it is of that very object.
func (d *desired) admits() string {
	if d.effect == nil {
		return ""
	}
	return platform.Digest(map[string]any{"uid": string(d.live.uid()), "effect": d.effect.named()})
}

// proposeAdoption puts together the effects that a person has to decide about; nil if there are none, or if they were approved: all of
// them now, or each of them before the first write of an adoption that was cut short.
func (r rehearsal) proposeAdoption() *Adoption {
	a := &Adoption{}
	begun := true
	for _, d := range r.all() {
		if d.effect == nil {
			continue
		}
		a.Effects = append(a.Effects, *d.effect)
		begun = begun && r.inventory.admitted[d.object] == d.admits()
	}
	if len(a.Effects) == 0 || begun {
		return nil
	}
	slices.SortFunc(a.Effects, func(x, y Effect) int { return strings.Compare(x.Object.line(), y.Object.line()) })
	named := make([]any, len(a.Effects))
	for i, e := range a.Effects {
		named[i] = e.named()
	}
	a.Digest = platform.Digest(map[string]any{"team": r.in.Team, "request": r.in.Request, "effects": named})
	if slices.Contains(r.in.Approved, a.Digest) {
		return nil
	}
	return a
}

// shownEffects bounds a message; the Adoption has all.
const shownEffects = 3

// message says which effects wait, and how a person approves them.
func (a *Adoption) message(environment string) string {
	var parts []string
	for i, e := range a.Effects {
		if i == shownEffects {
			parts = append(parts, fmt.Sprintf("and %d more", len(a.Effects)-shownEffects))
			break
		}
		parts = append(parts, e.String())
	}
	return fmt.Sprintf("the adoption waits, and nothing is written: %s. An Approval in decisions/%s of {adoption: %s} admits exactly that",
		strings.Join(parts, "; "), environment, a.Digest)
}

// readAdmitted reads lines of an object and the digest of the effect that a person approved. A line of another form admits
// nothing.
func readAdmitted(text string) map[Object]string {
	if text == "" {
		return nil
	}
	admitted := map[Object]string{}
	for line := range strings.Lines(text) {
		name, digest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if o, ok := parseLine(name); ok {
			admitted[o] = digest
		}
	}
	return admitted
}

// writeAdmitted is the text of which readAdmitted reads the lines.
func writeAdmitted(admitted map[Object]string) string {
	var lines []string
	for o, digest := range admitted {
		lines = append(lines, o.line()+" "+digest+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// noteEffect keeps an effect that a person decides about.
func (d *desired) noteEffect(e *Effect) {
	if e.Outside || len(e.Fields) > 0 || e.Selects != nil {
		e.Agent = d.agentOf()
		d.effect = e
	}
}
