package preview

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/internal/immutable"
	"transom.dev/render/internal/manifests"
)

// Effects lists the effects of an upgrade from one manifest to the next one that the authors of a version should know: fields
// that Kubernetes does not let change, objects that go, and data that goes or stays behind.
func Effects(before, after []byte, custom immutable.Lookup) ([]string, error) {
	old, err := documents(manifests.Split(before))
	if err != nil {
		return nil, err
	}
	now, err := documents(manifests.Split(after))
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
		if fields := immutable.Changed(id.group, id.kind, was, is, custom); len(fields) > 0 {
			say("replaces the %s: %s cannot change in place", id, strings.Join(fields, ", "))
		}
	}
	return remarks, nil
}

// dataOf says whether the data of an object that is removed goes or stays.
func dataOf(id objectID, d document) string {
	var c Change
	c.Request = id.name // of some request, not of a team's namespace
	switch c.lose(id, d); {
	case c.hasData && c.claimsGo:
		return " and the claims of its pods with their data"
	case c.hasData:
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
	templates, _ := manifests.At(object, "spec.volumeClaimTemplates").([]any)
	for _, t := range templates {
		template, _ := t.(map[string]any)
		if name, ok := manifests.At(template, "metadata.name").(string); ok {
			names = append(names, name)
		}
	}
	return names
}
