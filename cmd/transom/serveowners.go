package main

import (
	"bytes"
	"context"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/render/wording"
)

const (
	// longestOwners is how long a CODEOWNERS may be, and mostOwnerRules how many of its rules are read that decisions can match.
	longestOwners  = 64 << 10
	mostOwnerRules = 500
	// ownersTime is how long it may take to read it, and ownersAgain after how long it is tried again where it could not be read.
	ownersTime  = 5 * time.Second
	ownersAgain = 30 * time.Second
)

// ownerFiles are the names that forges know a CODEOWNERS by, in the order in which they look.
var ownerFiles = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}

// codeOwners knows by the CODEOWNERS of the platform's head who has to approve a decision. It is safe for concurrent use.
type codeOwners struct {
	traces *tracer

	mu     sync.Mutex
	commit string // that the rules are of
	rules  []ownerRule
	known  bool      // there is such a file
	failed time.Time // when it could not be read; zero: it could
}

// An ownerRule says whose the files are that it matches.
type ownerRule struct {
	parts   []string // that the name of each of them has: very many may wait, and to match an expression takes long
	matches *regexp.Regexp
	owners  []string
}

// Of is part of web.Owners.
func (c *codeOwners) Of(file string) (owners []string, known bool) {
	owners = ownersOf(file, c.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	return owners, c.known
}

// ownersOf are those that the last rule has which matches a file.
func ownersOf(file string, rules []ownerRule) []string {
	for _, rule := range slices.Backward(rules) {
		lacks := slices.ContainsFunc(rule.parts, func(part string) bool { return !strings.Contains(file, part) })
		if !lacks && rule.matches.MatchString(file) {
			return rule.owners
		}
	}
	return nil
}

// Name is part of web.Owners. Forges do not tell large letters from small ones in names.
func (c *codeOwners) Name(owner string) bool {
	return slices.ContainsFunc(c.now(), func(rule ownerRule) bool {
		return slices.ContainsFunc(rule.owners, func(named string) bool { return strings.EqualFold(named, owner) })
	})
}

// now are the rules of the platform's head, or of the last one where it cannot be read.
func (c *codeOwners) now() []ownerRule {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := c.traces.board.Status().Platform.Commit
	if head == c.commit || time.Since(c.failed) < ownersAgain {
		return c.rules
	}
	text, known, err := c.read(head)
	if err != nil {
		c.failed = time.Now()
		return c.rules
	}
	c.commit, c.rules, c.known, c.failed = head, parseOwners(text), known, time.Time{}
	return c.rules
}

// read returns the text of the CODEOWNERS of a commit, if there is one.
func (c *codeOwners) read(commit string) (text []byte, known bool, err error) {
	if commit == "" {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownersTime)
	defer cancel()
	files, err := c.traces.platform.At(ctx, commit)
	if err != nil {
		return nil, false, err
	}
	for _, name := range ownerFiles {
		if info, err := fs.Stat(files, name); err != nil || !info.Mode().IsRegular() || info.Size() > longestOwners {
			continue
		}
		text, err := files.ReadFile(name)
		return text, err == nil, err
	}
	return nil, false, nil
}

// parseOwners reads the rules that decisions can match.
func parseOwners(text []byte) (rules []ownerRule) {
	for line := range bytes.Lines(text) {
		line, _, _ := strings.Cut(string(line), "#")
		fields := strings.Fields(wording.CleanLine(strings.TrimSpace(line)))
		if len(fields) == 0 || len(rules) == mostOwnerRules || strings.HasPrefix(fields[0], "[") || strings.HasPrefix(fields[0], "^[") { // a section of GitLab
			continue
		}
		first, _, deeper := strings.Cut(strings.TrimPrefix(fields[0], "/"), "/")
		if deeper && isRooted(fields[0]) && first != "decisions" && !strings.ContainsAny(first, "*?") {
			continue
		}
		if matches, err := regexp.Compile(ownedBy(fields[0])); err == nil {
			rules = append(rules, ownerRule{literalParts(fields[0]), matches, fields[1:]})
		}
	}
	return rules
}

// literalParts are the parts of a pattern between wildcards, which are in the name of each file that it matches.
func literalParts(pattern string) (parts []string) {
	for _, part := range strings.FieldsFunc(pattern, func(c rune) bool { return c == '*' || c == '?' }) {
		parts = append(parts, strings.Trim(part, "/"))
	}
	return parts
}

// isRooted says whether a pattern is one from the root.
func isRooted(pattern string) bool { return strings.Contains(strings.TrimSuffix(pattern, "/"), "/") }

var ownerWildcards = strings.NewReplacer(`\*\*/`, `(?:.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`)

// ownedBy is the expression of a pattern: one with a slash before its end is one from the root, a folder has all below it, and /* the files
// of a folder alone.
func ownedBy(pattern string) string {
	rooted := isRooted(pattern)
	folder, alone := strings.HasSuffix(pattern, "/"), rooted && strings.HasSuffix(pattern, "/*")
	expression := ownerWildcards.Replace(regexp.QuoteMeta(strings.Trim(pattern, "/")))
	if !rooted {
		expression = "(?:.*/)?" + expression
	}
	switch {
	case folder:
		expression += "/.*"
	case !alone:
		expression += "(?:/.*)?"
	}
	return "^" + expression + "$"
}
