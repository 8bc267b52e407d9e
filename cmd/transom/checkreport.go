package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// The formats in which forges read findings, to show them at the file and the line that they are about.
const (
	gitHubReport = "github" // commands to the runner of GitHub Actions, among the lines of a job's log
	gitLabReport = "gitlab" // a report of GitLab's kind "code quality"
)

// located are findings with their files as a forge names them: from where the command runs, which is the top of the repository in a
// pipeline.
func located(dir string, findings ...[]platform.Problem) []platform.Problem {
	all := slices.Concat(findings...)
	for i := range all {
		if file := path.Join(filepath.ToSlash(dir), all[i].File); filepath.IsLocal(file) {
			all[i].File = file
		}
	}
	return all
}

// tellGitHub prints a command for each new Problem and each Warning. One of the whole file is shown at its first line.
func (c *checked) tellGitHub(w io.Writer, dir string) {
	for _, p := range located(dir, c.Problems, c.Warnings) {
		kind := "error"
		if p.Warning {
			kind = "warning"
		}
		at := fmt.Sprintf("file=%s,line=%d", property(p.File), max(p.Line, 1))
		if p.Column > 0 {
			at += fmt.Sprintf(",col=%d", p.Column)
		}
		fmt.Fprintf(w, "::%s %s,title=%s::%s\n", kind, at, property("transom: "+p.Rule), data(p.String()))
	}
}

// data is a text in which the runner finds no end of the command.
func data(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// property is a text in which the runner finds neither the end of a property nor the next one.
func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(text))
}

// A quality is a finding in GitLab's report.
type quality struct {
	Description string   `json:"description"`
	CheckName   string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"` // GitLab knows a finding of the branch and of the base by it
	Severity    string   `json:"severity"`
	Location    location `json:"location"`
}

type location struct {
	Path  string `json:"path"`
	Lines lines  `json:"lines"`
}

type lines struct {
	Begin int `json:"begin"`
}

// tellGitLab prints the report, in which Problems of the base are as well: GitLab has those of the base's own report, and says which are new.
func (c *checked) tellGitLab(w io.Writer, dir string) error {
	report, seen := []quality{}, map[[sha256.Size]byte]int{}
	for _, p := range located(dir, c.Problems, c.Known, c.Warnings) {
		severity := "major"
		if p.Warning {
			severity = "minor"
		}
		q := quality{p.String(), p.Rule, "", severity, location{p.File, lines{max(p.Line, 1)}}}
		p.Line, p.Column = 0, 0 // a finding that moved within its file is the same one
		sum := sha256.Sum256([]byte(p.Rule + "\n" + p.String()))
		q.Fingerprint = fmt.Sprintf("%x-%d", sum[:16], seen[sum])
		seen[sum]++
		report = append(report, q)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(report); err != nil {
		return fmt.Errorf("print the report for GitLab: %w", err)
	}
	return nil
}
