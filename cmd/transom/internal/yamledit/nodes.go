package yamledit

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// set follows the path through the nodes as far as they go, and writes the rest there.
func (d *document) set(path Path, value any) (string, error) {
	at, flow := d.root, d.root.Style&yaml.FlowStyle != 0
	var key *yaml.Node
	for i, step := range path {
		var child, name *yaml.Node
		switch {
		case implicit(at):
			return d.replace(at, key, nested(path[i:], value), flow)
		case at.Kind == yaml.MappingNode:
			if name, child = entry(at, step.Key); child == nil {
				return d.insert(at, step.Key, nested(path[i+1:], value), flow)
			}
		case at.Kind == yaml.SequenceNode && step.Index < len(at.Content):
			child = at.Content[step.Index]
		case at.Kind == yaml.SequenceNode:
			return d.append(at, nested(path[i+1:], value), flow)
		default:
			return "", errLayout
		}
		at, key = child, name
		inFlow := at.Style&yaml.FlowStyle != 0 && i < len(path)-1
		flow = flow || inFlow
	}
	return d.replace(at, key, value, flow)
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

// replace replaces a node by a value. Key is the node's key, or nil in a list.
func (d *document) replace(n, key *yaml.Node, value any, flow bool) (string, error) {
	if n.Style&yaml.TaggedStyle != 0 || n.Anchor != "" || n.Kind == yaml.AliasNode {
		return "", errLayout
	}
	text := d.write(n, value, flow)
	isLine := n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0
	inPlace := isLine || n.Style&yaml.FlowStyle != 0
	switch {
	case !implicit(n) && inPlace:
		return d.text[:d.start(n)] + text + d.text[d.end(n):], nil
	case key == nil:
		return "", errLayout
	}
	colon := d.colon(key)
	end := colon
	if !implicit(n) {
		end = d.end(n)
	}
	return d.text[:colon] + " " + text + d.text[end:], nil
}

// write writes a value in the quotes of the node that it replaces, where it can stand in them.
func (d *document) write(n *yaml.Node, value any, flow bool) string {
	s, isString := value.(string)
	switch {
	case !isString || n.Kind != yaml.ScalarNode || !isOneLine(s):
	case n.Style&yaml.DoubleQuotedStyle != 0 && !strings.ContainsAny(s, `"\`):
		return `"` + s + `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return Inline(value, flow)
}

// insert adds an entry to an object: before environments, which a request says last, else at the end.
func (d *document) insert(mapping *yaml.Node, key string, value any, flow bool) (string, error) {
	entry := func(flow bool) string { return Scalar(key, flow) + ": " + Inline(value, flow) }
	if mapping.Style&yaml.FlowStyle != 0 {
		return d.insertFlow(mapping, entry(true)), nil
	}
	if len(mapping.Content) == 0 || flow {
		return "", errLayout
	}
	indent := strings.Repeat(" ", mapping.Content[0].Column-1)
	if last := mapping.Content[len(mapping.Content)-2]; last.Value == "environments" && last.Line > mapping.Content[0].Line {
		at := d.starts[d.aboveComments(last.Line)-1]
		return d.text[:at] + indent + entry(false) + d.newline + d.text[at:], nil
	}
	return d.insertLine(d.end(mapping), indent+entry(false)), nil
}

// append adds an item to a list.
func (d *document) append(list *yaml.Node, value any, flow bool) (string, error) {
	if list.Style&yaml.FlowStyle != 0 {
		return d.insertFlow(list, Inline(value, true)), nil
	}
	if len(list.Content) == 0 || flow {
		return "", errLayout
	}
	first := d.start(list.Content[0])
	dash := strings.LastIndexByte(d.text[:first], '-')
	begin := strings.LastIndexByte(d.text[:dash], '\n') + 1
	return d.insertLine(d.end(list), d.text[begin:dash]+"- "+Inline(value, false)), nil
}

// insertFlow adds an item or entry to a collection in brackets.
func (d *document) insertFlow(n *yaml.Node, text string) string {
	end := d.end(n)
	if len(n.Content) == 0 {
		return d.text[:d.start(n)+1] + text + d.text[end-1:]
	}
	last := d.lastEnd(n)
	return d.text[:last] + ", " + text + d.text[last:]
}

// insertLine adds a line after the one that holds an offset.
func (d *document) insertLine(offset int, line string) string {
	end := len(d.text)
	if n := strings.IndexByte(d.text[offset:], '\n'); n >= 0 {
		end = offset + n
	}
	end -= len(d.text[offset:end]) - len(strings.TrimSuffix(d.text[offset:end], "\r"))
	return d.text[:end] + d.newline + line + d.text[end:]
}

// aboveComments is the first of the comment lines right above a line, or the line itself.
func (d *document) aboveComments(line int) int {
	for line > 1 && strings.HasPrefix(strings.TrimSpace(d.text[d.starts[line-2]:d.starts[line-1]]), "#") {
		line--
	}
	return line
}

// start is where a node's text begins. Nodes count columns in characters.
func (d *document) start(n *yaml.Node) int {
	at := d.starts[n.Line-1]
	if n.Line == 1 && strings.HasPrefix(d.text, "\ufeff") {
		at += len("\ufeff")
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(d.text[at:])
		at += size
	}
	return at
}

// colon is the offset behind the colon that follows a key.
func (d *document) colon(key *yaml.Node) int {
	end := d.end(key)
	if n := strings.IndexByte(d.text[end:], ':'); n >= 0 {
		return end + n + 1
	}
	return end
}

// end is the offset behind a node's text.
func (d *document) end(n *yaml.Node) int {
	switch {
	case n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode:
		return d.scalarEnd(n)
	case n.Style&yaml.FlowStyle == 0:
		return d.lastEnd(n)
	}
	at := d.start(n) + 1
	if len(n.Content) > 0 {
		at = d.lastEnd(n)
	}
	for at < len(d.text) && !slices.Contains([]byte("}]"), d.text[at]) {
		if d.text[at] == '#' {
			at += max(strings.IndexByte(d.text[at:], '\n'), 0)
		}
		at++
	}
	return min(at+1, len(d.text))
}

// lastEnd is the offset behind the last thing in a collection.
func (d *document) lastEnd(n *yaml.Node) int {
	last := n.Content[len(n.Content)-1]
	if n.Kind == yaml.MappingNode && implicit(last) {
		return d.colon(n.Content[len(n.Content)-2])
	}
	return d.end(last)
}

func (d *document) scalarEnd(n *yaml.Node) int {
	at := d.start(n)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for at++; at < len(d.text) && d.text[at] != '"'; at++ {
			if d.text[at] == '\\' {
				at++
			}
		}
		return min(at+1, len(d.text))
	case n.Style&yaml.SingleQuotedStyle != 0:
		for at++; at < len(d.text); at++ {
			if d.text[at] == '\'' && !strings.HasPrefix(d.text[at:], "''") {
				break
			} else if d.text[at] == '\'' {
				at++
			}
		}
		return min(at+1, len(d.text))
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.blockEnd(n)
	}
	for _, word := range strings.Fields(n.Value) { // a plain scalar may go over several lines
		found := strings.Index(d.text[at:], word)
		if found < 0 {
			return at
		}
		at += found + len(word)
	}
	return at
}

// blockEnd is behind the last line of a literal or folded scalar that is not empty.
func (d *document) blockEnd(n *yaml.Node) int {
	lines := strings.SplitAfter(d.text[d.start(n):], "\n")
	at, end, indent := d.start(n), d.start(n)+len(strings.TrimRight(lines[0], "\r\n")), -1
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
