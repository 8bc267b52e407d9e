package render

import (
	"go.yaml.in/yaml/v3"

	"transom.dev/render/platform"
)

// Bounds of rendered objects, as compact JSON. An API server takes requests of 3 MiB and objects of 1.5 MiB, in which the
// applier's notes on fields must have room.
const (
	maxObjectSize    = 1_468_006 // 1.4 MiB
	maxPlacementSize = 4 << 20
)

// sizeProblems reports objects, and a placement of objects, that are too large. A release that the environment runs already
// is only warned of.
func sizeProblems(c *candidate, manifest []byte, nodes []*yaml.Node, objects []object) []platform.Problem {
	if len(manifest) < maxObjectSize/4 {
		return nil // JSON is never four times as long as YAML
	}
	check := output{file: kustomizationOf(c.instance.Version), request: c.instance.Request.File, taken: c.takenAlready()}
	all := 0
	for i, o := range objects {
		size := jsonSize(nodes[i])
		if all += size; size > maxObjectSize {
			check.reportNew(check.file, "too-large", "renders %s of %d bytes as JSON; an object may have %d (1.4 MiB); split it", o.id, size, maxObjectSize)
		}
	}
	if all > maxPlacementSize {
		check.reportNew(check.file, "too-large", "renders objects of %d bytes as JSON for one cluster; all of a request may have %d (4 MiB); "+
			"split the version", all, maxPlacementSize)
	}
	return check.problems
}

// jsonSize is the length of a node as compact JSON.
func jsonSize(n *yaml.Node) int {
	size := 0
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag != "!!str" {
			return len(n.Value)
		}
		return quotedSize(n.Value)
	case yaml.AliasNode:
		return jsonSize(n.Alias)
	case yaml.DocumentNode:
		size = -len(n.Content) - 1
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			size += quotedSize(c.Value)
		} else {
			size += jsonSize(c)
		}
	}
	// A comma or colon after each but the last, and two brackets.
	return size + max(len(n.Content), 1) + 1
}

// quotedSize is the length of a text as a JSON string.
func quotedSize(text string) int {
	size := len(text) + 2
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\', c == '\n', c == '\r', c == '\t', c == '\b', c == '\f':
			size++
		case c < ' ':
			size += 5
		}
	}
	return size
}
