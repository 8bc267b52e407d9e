package kustomize

import "go.yaml.in/yaml/v3"

// textsAt are the texts of files at a path of an object, and whether there may be one by now.
func (i *item) textsAt(at route) (known []*yaml.Node, maybe bool) {
	look := func(root *yaml.Node) {
		for _, n := range i.nodesAt(root, at) {
			if n.Kind == yaml.ScalarNode {
				known, maybe = append(known, n), true
			}
		}
	}
	look(i.root)
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			look(w.patch)
		case len(w.steps) <= len(at.steps) && w.meets(at):
			maybe = true
		}
	}
	return known, maybe
}

// print notes that a text is parsed and printed, and bounds by how much it grows the first time: each of its fields and items may
// begin a line, however short it was written.
func (i *item) print(text *yaml.Node) (growth int64) {
	if i.printed[text] {
		return 0
	}
	if i.printed == nil {
		i.printed = map[*yaml.Node]bool{}
	}
	i.printed[text] = true
	var parsed yaml.Node
	if !parses(text.Value, &parsed) {
		return 0
	}
	return indentation(&parsed, 0)
}

func parses(text string, to *yaml.Node) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return yaml.Unmarshal([]byte(text), to) == nil
}

// indentation is how many spaces and ends of lines there are where each node begins a line.
func indentation(n *yaml.Node, depth int64) int64 {
	spaces := 2*depth + 1
	for _, c := range n.Content {
		spaces = plus(spaces, indentation(c, depth+1))
	}
	return spaces
}
