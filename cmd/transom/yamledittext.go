package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// set follows the path through the nodes as far as they go, and writes the rest there.
func (e *yamlEdit) set(path []yamlStep, value any) (string, error) {
	at, flow := e.root, e.root.Style&yaml.FlowStyle != 0
	var key *yaml.Node
	for i, step := range path {
		var child, name *yaml.Node
		switch {
		case implicit(at):
			return e.replace(at, key, nested(path[i:], value), flow)
		case at.Kind == yaml.MappingNode:
			if name, child = entry(at, step.key); child == nil {
				return e.insert(at, step.key, nested(path[i+1:], value), flow)
			}
		case at.Kind == yaml.SequenceNode && step.index < len(at.Content):
			child = at.Content[step.index]
		case at.Kind == yaml.SequenceNode:
			return e.append(at, nested(path[i+1:], value), flow)
		default:
			return "", errLayout
		}
		at, key = child, name
		flow = flow || at.Style&yaml.FlowStyle != 0 && i < len(path)-1
	}
	return e.replace(at, key, value, flow)
}

func entry(mapping *yaml.Node, key string) (name, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// implicit says whether a value is null because nothing is written.
func implicit(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == ""
}

// replace writes a value in the place of a node. Key is the node's, or nil in a list.
func (e *yamlEdit) replace(n, key *yaml.Node, value any, flow bool) (string, error) {
	if n.Style&yaml.TaggedStyle != 0 || n.Anchor != "" || n.Kind == yaml.AliasNode {
		return "", errLayout
	}
	text := e.write(n, value, flow)
	inPlace := n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 || n.Style&yaml.FlowStyle != 0
	switch {
	case !implicit(n) && inPlace:
		return e.text[:e.start(n)] + text + e.text[e.end(n):], nil
	case key == nil:
		return "", errLayout
	}
	colon := e.colon(key)
	end := colon
	if !implicit(n) {
		end = e.end(n)
	}
	return e.text[:colon] + " " + text + e.text[end:], nil
}

// write is a value in the quotes that its place has, where it can stand in them.
func (e *yamlEdit) write(n *yaml.Node, value any, flow bool) string {
	s, isString := value.(string)
	switch {
	case !isString || n.Kind != yaml.ScalarNode || !isOneLine(s):
	case n.Style&yaml.DoubleQuotedStyle != 0 && !strings.ContainsAny(s, `"\`):
		return `"` + s + `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return inlineYAML(value, flow)
}

// insert adds an entry to an object: before environments, which a request says last, else at the end.
func (e *yamlEdit) insert(mapping *yaml.Node, key string, value any, flow bool) (string, error) {
	entry := func(flow bool) string { return scalarText(key, flow) + ": " + inlineYAML(value, flow) }
	if mapping.Style&yaml.FlowStyle != 0 {
		return e.insertFlow(mapping, entry(true)), nil
	}
	if len(mapping.Content) == 0 || flow {
		return "", errLayout
	}
	indent := strings.Repeat(" ", mapping.Content[0].Column-1)
	if last, _ := yamlLast(mapping); last.Value == "environments" && last.Line > mapping.Content[0].Line {
		at := e.starts[e.aboveComments(last.Line)-1]
		return e.text[:at] + indent + entry(false) + e.newline + e.text[at:], nil
	}
	return e.insertLine(e.end(mapping), indent+entry(false)), nil
}

// append adds an item to a list.
func (e *yamlEdit) append(list *yaml.Node, value any, flow bool) (string, error) {
	if list.Style&yaml.FlowStyle != 0 {
		return e.insertFlow(list, inlineYAML(value, true)), nil
	}
	if len(list.Content) == 0 || flow {
		return "", errLayout
	}
	first := e.start(list.Content[0])
	dash := strings.LastIndexByte(e.text[:first], '-')
	begin := strings.LastIndexByte(e.text[:dash], '\n') + 1
	return e.insertLine(e.end(list), e.text[begin:dash]+"- "+inlineYAML(value, false)), nil
}

// insertFlow adds an item or entry to a collection in brackets.
func (e *yamlEdit) insertFlow(n *yaml.Node, text string) string {
	end := e.end(n)
	if len(n.Content) == 0 {
		return e.text[:e.start(n)+1] + text + e.text[end-1:]
	}
	last := e.lastEnd(n)
	return e.text[:last] + ", " + text + e.text[last:]
}

// insertLine adds a line after the one that holds an offset.
func (e *yamlEdit) insertLine(offset int, line string) string {
	end := len(e.text)
	if n := strings.IndexByte(e.text[offset:], '\n'); n >= 0 {
		end = offset + n
	}
	end -= len(e.text[offset:end]) - len(strings.TrimSuffix(e.text[offset:end], "\r"))
	return e.text[:end] + e.newline + line + e.text[end:]
}

// aboveComments is the first of the comment lines right above a line, or the line itself.
func (e *yamlEdit) aboveComments(line int) int {
	for line > 1 && strings.HasPrefix(strings.TrimSpace(e.text[e.starts[line-2]:e.starts[line-1]]), "#") {
		line--
	}
	return line
}

func yamlLast(mapping *yaml.Node) (key, value *yaml.Node) {
	n := len(mapping.Content)
	return mapping.Content[n-2], mapping.Content[n-1]
}

// start is where a node's text begins. Nodes count columns in characters.
func (e *yamlEdit) start(n *yaml.Node) int {
	at := e.starts[n.Line-1]
	if n.Line == 1 && strings.HasPrefix(e.text, "\ufeff") {
		at += len("\ufeff")
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(e.text[at:])
		at += size
	}
	return at
}

// colon is the offset behind the colon that follows a key.
func (e *yamlEdit) colon(key *yaml.Node) int {
	end := e.end(key)
	if n := strings.IndexByte(e.text[end:], ':'); n >= 0 {
		return end + n + 1
	}
	return end
}

// end is the offset behind a node's text.
func (e *yamlEdit) end(n *yaml.Node) int {
	switch {
	case n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode:
		return e.scalarEnd(n)
	case n.Style&yaml.FlowStyle == 0:
		return e.lastEnd(n)
	}
	at := e.start(n) + 1
	if len(n.Content) > 0 {
		at = e.lastEnd(n)
	}
	for at < len(e.text) && !slices.Contains([]byte("}]"), e.text[at]) {
		if e.text[at] == '#' {
			at += max(strings.IndexByte(e.text[at:], '\n'), 0)
		}
		at++
	}
	return min(at+1, len(e.text))
}

// lastEnd is the offset behind the last thing in a collection.
func (e *yamlEdit) lastEnd(n *yaml.Node) int {
	last := n.Content[len(n.Content)-1]
	if n.Kind == yaml.MappingNode && implicit(last) {
		return e.colon(n.Content[len(n.Content)-2])
	}
	return e.end(last)
}

func (e *yamlEdit) scalarEnd(n *yaml.Node) int {
	at := e.start(n)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for at++; at < len(e.text) && e.text[at] != '"'; at++ {
			if e.text[at] == '\\' {
				at++
			}
		}
		return min(at+1, len(e.text))
	case n.Style&yaml.SingleQuotedStyle != 0:
		for at++; at < len(e.text); at++ {
			if e.text[at] == '\'' && !strings.HasPrefix(e.text[at:], "''") {
				break
			} else if e.text[at] == '\'' {
				at++
			}
		}
		return min(at+1, len(e.text))
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return e.blockEnd(n)
	}
	for _, word := range strings.Fields(n.Value) { // a plain scalar may go over several lines
		found := strings.Index(e.text[at:], word)
		if found < 0 {
			return at
		}
		at += found + len(word)
	}
	return at
}

// blockEnd is behind the last line of a literal or folded scalar that is not empty.
func (e *yamlEdit) blockEnd(n *yaml.Node) int {
	lines := strings.SplitAfter(e.text[e.start(n):], "\n")
	at, end, indent := e.start(n), e.start(n)+len(strings.TrimRight(lines[0], "\r\n")), -1
	for i, line := range lines {
		blank := strings.TrimSpace(line) == ""
		if own := len(line) - len(strings.TrimLeft(line, " ")); i > 0 && !blank {
			if indent < 0 {
				indent = own
			}
			if own < indent || strings.TrimSpace(n.Value) == "" {
				break
			}
			end = at + len(strings.TrimRight(line, "\r\n"))
		}
		at += len(line)
	}
	return end
}
