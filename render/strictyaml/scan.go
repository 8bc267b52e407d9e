package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of every YAML file that is read.
const (
	maxFileSize = 1 << 20 // bytes
	maxNesting  = 64      // levels of nesting

	maxExpandedNodes = 1 << 16 // nodes that a file with aliases may expand to
)

// Options say what a YAML file may contain beyond one plain document.
type Options struct {
	Documents bool // several documents
	Aliases   bool // anchors and aliases, as long as they are neither cyclic nor expand to much
	Size      int  // bytes that it may be long; 0: maxFileSize
}

// Scan parses a YAML file without expanding anything in it and returns its documents, or its Problems: encoding, size,
// syntax, nesting, duplicate keys, aliases, tags and the number of documents. No input makes it run long, crash or recurse
// without bound, so it must look at a file before anything else does. The documents are only returned where there is no
// Problem; an empty file has none.
func Scan(data []byte, allow Options) ([]*yaml.Node, []Problem) {
	s := scan{allow: allow}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !s.checkBytes(data) {
		return nil, s.problems
	}
	docs := s.parse(data)
	s.findHiddenBreaks(data, docs)
	for _, doc := range docs {
		s.visit(doc, 0)
	}
	if len(docs) > 1 && !allow.Documents {
		s.report(docs[1], "documents", "a second document; write one object per file")
	}
	if len(s.problems) > 0 {
		return nil, s.problems
	}
	return docs, nil
}

// A scan is the walk over one file.
type scan struct {
	allow    Options
	problems problems

	open      map[*yaml.Node]bool // anchored nodes that the walk is inside of
	inAlias   bool
	expanded  int // nodes visited below an alias
	tooDeep   bool
	exploding bool
}

// checkBytes checks the properties that are known before parsing.
func (s *scan) checkBytes(data []byte) bool {
	most := cmp.Or(s.allow.Size, maxFileSize)
	switch {
	case len(data) > most:
		s.add(0, 0, "size", fmt.Sprintf("is %d bytes long; the limit is %d (%d MiB)", len(data), most, most>>20))
	case bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")):
		s.add(1, 1, "lfs", "is a Git LFS pointer; commit the file itself")
	case !utf8.Valid(data):
		line, column := firstInvalid(data)
		s.add(line, column, "encoding", "is not UTF-8 text")
	}
	return len(s.problems) == 0
}

func firstInvalid(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return line, column
}

// parse splits data into its documents. The parser builds nodes and leaves aliases as they are.
func (s *scan) parse(data []byte) (docs []*yaml.Node) {
	defer func() {
		if r := recover(); r != nil {
			s.add(0, 0, "syntax", "is not YAML")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			s.reportSyntax(data, err)
			return docs
		}
		if len(doc.Content) == 1 && !emptyDocument(doc.Content[0]) {
			docs = append(docs, doc.Content[0])
		}
	}
}

// hiddenBreak matches the characters that end a line for YAML and that a reviewer of the file sees as nothing or as a space.
var hiddenBreak = regexp.MustCompile("\r(?:[^\n]|$)|\u0085|\u2028|\u2029")

// mayHideBreaks says whether a text has bytes that hiddenBreak may match: nearly no file has one, and the expression is slow.
func mayHideBreaks(data []byte) bool {
	return bytes.IndexByte(data, '\r') >= 0 || bytes.Contains(data, []byte("\u0085")) || bytes.Contains(data, []byte("\xe2\x80"))
}

// findHiddenBreaks reports a line break that nobody sees and that makes more of the file than one scalar: a key that seems part
// of the text or comment before it. Inside of quotes, such a character is text as any other.
func (s *scan) findHiddenBreaks(data []byte, docs []*yaml.Node) {
	if !mayHideBreaks(data) || len(s.problems) > 0 {
		return
	}
	at := hiddenBreak.FindIndex(data)
	if at == nil {
		return
	}
	seen := scan{}
	visible := seen.parse(hiddenBreak.ReplaceAllFunc(data, func(found []byte) []byte { return bytes.Repeat([]byte("x"), len(found)) }))
	if len(seen.problems) == 0 && slices.EqualFunc(docs, visible, sameShape) {
		return
	}
	before, found := data[:at[0]], []rune(string(data[at[0]:at[1]]))[0]
	line, column := 1+bytes.Count(before, []byte("\n")), 1+utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	s.add(line, column, "line-break", fmt.Sprintf("%U ends a line here, which no editor shows; break the line, or quote the text and escape it", found))
}

// sameShape says whether two trees differ in their scalars at most. It does not follow aliases.
func sameShape(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && slices.EqualFunc(a.Content, b.Content, sameShape)
}

// emptyDocument says whether a document has nothing at all, as one of only comments does.
func emptyDocument(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == ""
}

var (
	syntaxLine    = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// mergeMarker is the first line of a conflict, as Git writes it.
var mergeMarker = regexp.MustCompile(`(?m)^<<<<<<< `)

// tabIndent is the column of a tab that a line is indented with, or 0.
func tabIndent(data []byte, line int) int {
	lines := bytes.Split(data, []byte("\n"))
	if line > len(lines) {
		return 0
	}
	text := lines[line-1]
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	return 1 + bytes.IndexByte(indent, '\t')
}

// reportSyntax reports the parser's error, whose text names at most a line.
func (s *scan) reportSyntax(data []byte, err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		line = 1 + bytes.Count(before, []byte("\n"))
		s.add(line, len(before)-bytes.LastIndexByte(before, '\n'), "alias", fmt.Sprintf("alias to an unknown anchor %q", m[1]))
		return
	}
	if marker := mergeMarker.FindIndex(data); marker != nil {
		s.add(1+bytes.Count(data[:marker[0]], []byte("\n")), 1, "syntax", "has the markers of a merge that is not finished; "+
			"keep one side of each, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>")
		return
	}
	if column := tabIndent(data, line); column > 0 {
		s.add(line, column, "syntax", "is not YAML: a tab; indent with spaces")
		return
	}
	s.add(line, 0, "syntax", "is not YAML: "+text)
}

// visit walks a tree and everything that its aliases stand for.
func (s *scan) visit(n *yaml.Node, depth int) {
	if s.tooDeep || s.exploding {
		return
	}
	if depth > maxNesting {
		s.tooDeep = true
		s.report(n, "depth", fmt.Sprintf("is nested deeper than %d levels", maxNesting))
		return
	}
	if s.inAlias {
		if s.expanded++; s.expanded > maxExpandedNodes {
			s.exploding = true
			s.report(n, "alias", "aliases expand to too much; write out what they stand for")
			return
		}
	} else {
		s.checkNode(n)
	}
	switch n.Kind {
	case yaml.AliasNode:
		s.visitAlias(n, depth)
	case yaml.MappingNode, yaml.SequenceNode:
		s.visitChildren(n, depth)
	}
}

// checkNode checks a node as it is written, once.
func (s *scan) checkNode(n *yaml.Node) {
	if n.Anchor != "" && !s.allow.Aliases {
		s.report(n, "alias", fmt.Sprintf("anchor %q; anchors and aliases are not allowed here", n.Anchor))
	}
	if n.Style&yaml.TaggedStyle != 0 && !s.allow.Aliases {
		s.report(n, "tag", fmt.Sprintf("tag %s; tags are not allowed here", n.Tag))
	}
	if n.Kind == yaml.MappingNode {
		s.findDuplicates(n)
	}
}

func (s *scan) visitAlias(n *yaml.Node, depth int) {
	switch {
	case !s.allow.Aliases:
		s.report(n, "alias", fmt.Sprintf("alias %q; anchors and aliases are not allowed here", n.Value))
	case s.open[n.Alias]:
		s.report(n, "alias", fmt.Sprintf("alias %q refers to what it is part of", n.Value))
	default:
		outer := s.inAlias
		s.inAlias = true
		s.visit(n.Alias, depth)
		s.inAlias = outer
	}
}

func (s *scan) visitChildren(n *yaml.Node, depth int) {
	if n.Anchor != "" {
		if s.open == nil {
			s.open = map[*yaml.Node]bool{}
		}
		s.open[n] = true
		defer delete(s.open, n)
	}
	for _, c := range n.Content {
		s.visit(c, depth+1)
	}
}

// findDuplicates reports keys that a mapping has twice. Only plain keys are compared: any other key is no field of an object.
func (s *scan) findDuplicates(n *yaml.Node) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			continue
		}
		if line, twice := seen[key.Value]; twice {
			s.report(key, "duplicate-key", fmt.Sprintf("duplicate key %q; it is already on line %d", key.Value, line))
			continue
		}
		seen[key.Value] = key.Line
	}
}

func (s *scan) report(n *yaml.Node, rule, message string) {
	s.add(n.Line, n.Column, rule, message)
}

func (s *scan) add(line, column int, rule, message string) {
	s.problems.add(Problem{Line: line, Column: column, Rule: rule, Message: message})
}
