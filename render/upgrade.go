package render

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// upgrade warns of what moving the cases of two versions from the one to the other does. What cannot be rendered with
// both says nothing: its request is not one that moves.
func upgrade(from, to *platform.Version, before, after []*Case) error {
	told := map[string]bool{}
	for _, c := range slices.Concat(after, before) {
		if c.Got == nil {
			continue
		}
		old, now := c.Got, c.Got
		if c.Version == to {
			old = c.as(from)
		} else {
			now = c.as(to)
		}
		if old == nil || now == nil {
			continue
		}
		remarks, err := upgradeRemarks(old, now)
		if err != nil {
			return err
		}
		for _, remark := range remarks {
			if told[remark] {
				continue
			}
			told[remark] = true
			warning := platform.Problem{
				File: path.Join(c.Dir, "request.yaml"), Rule: "upgrade", Warning: true,
				Message: fmt.Sprintf("moving from %s to %s %s", from.Number, to.Number, remark),
			}
			c.Problems = append(c.Problems, warning)
		}
	}
	return nil
}

// as renders the case with another version of its offering; nil where that does not take it.
func (c *Case) as(v *platform.Version) []byte {
	rendered, problems := InstanceAs(c.loaded, c.environment, c.key, "", v)
	if slices.ContainsFunc(problems, func(p platform.Problem) bool { return !p.Warning }) {
		return nil
	}
	return rendered.Manifest
}

// upgradeRemarks says what an upgrade from one manifest to the next one does that its authors should know: fields that
// Kubernetes does not let change, objects that go, and data that goes or is left behind.
func upgradeRemarks(before, after []byte) ([]string, error) {
	old, err := documents(splitDocuments(before))
	if err != nil {
		return nil, err
	}
	now, err := documents(splitDocuments(after))
	if err != nil {
		return nil, err
	}
	var remarks []string
	say := func(format string, args ...any) { remarks = append(remarks, fmt.Sprintf(format, args...)) }
	for _, id := range sortedIDs(old, nil) {
		was, is := old[id].object, now[id].object
		if is == nil {
			say("removes the %s%s", id, dataOf(id, old[id]))
			continue
		}
		for _, volume := range claims(was) {
			if !slices.Contains(claims(is), volume) {
				say("takes the volume %s from the %s: its data is left behind", volume, id)
			}
		}
		if fields := unchangeable(id, was, is); len(fields) > 0 {
			say("replaces the %s: %s cannot change in place", id, strings.Join(fields, ", "))
		}
	}
	return remarks, nil
}

// dataOf says what becomes of the data of an object that is removed.
func dataOf(id objectID, d document) string {
	var c Change
	c.Request = id.name // of some request, not of a team's namespace
	switch c.remove(id, d); {
	case c.holdsData && c.claimsGo:
		return " and the claims of its pods with their data"
	case c.holdsData:
		return ": the claims of its pods stay with their data, but nothing uses them"
	case c.spared && c.prunable:
		return " with what is in it"
	case c.spared:
		return ": it is left behind, and nothing manages it any more"
	}
	return ""
}

// claims names the volume claim templates of a StatefulSet.
func claims(object map[string]any) (names []string) {
	templates, _ := at(object, "spec.volumeClaimTemplates").([]any)
	for _, t := range templates {
		template, _ := t.(map[string]any)
		if name, ok := at(template, "metadata.name").(string); ok {
			names = append(names, name)
		}
	}
	return names
}
