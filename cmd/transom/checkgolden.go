package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/golden"
	"transom.dev/render/platform"
)

// goldens are the results of the golden tests of offerings.
type goldens struct {
	tests     int
	rewritten []string
	problems  []platform.Problem
	warnings  []platform.Problem
}

// testOfferings runs the golden tests of a platform that was loaded from a file system.
func testOfferings(p *platform.Platform, files fs.FS) (*goldens, []*golden.Case, error) {
	cases, err := golden.Cases(p, files)
	if err != nil {
		return nil, nil, err
	}
	g := &goldens{}
	for _, c := range cases {
		if c.Name != "" {
			g.tests++
		}
		for _, problem := range c.Problems {
			if problem.Warning {
				g.warnings = append(g.warnings, problem)
			} else {
				g.problems = append(g.problems, problem)
			}
		}
	}
	return g, cases, nil
}

// testTree tests the offerings of a work tree. With update, the rendering of a test becomes its wanted one.
func testTree(p *platform.Platform, dir string, update bool) (*goldens, error) {
	g, cases, err := testOfferings(p, os.DirFS(dir))
	if err != nil || !update {
		return g, err
	}
	for _, c := range cases {
		if c.Got == nil || bytes.Equal(c.Got, c.Want) {
			continue
		}
		if err := workspace.WriteFile(filepath.Join(dir, filepath.FromSlash(c.WantFile())), c.Got); err != nil {
			return nil, err
		}
		g.rewritten = append(g.rewritten, c.WantFile())
		g.problems = slices.DeleteFunc(g.problems, func(p platform.Problem) bool { return p.File == c.WantFile() })
	}
	return g, nil
}

// testRevision tests the offerings of a revision of the clone that a directory lies in.
func testRevision(p *platform.Platform, dir, revision string) (*goldens, error) {
	snapshot, err := workspace.OpenRevision(dir, revision)
	if err != nil {
		return nil, err
	}
	g, _, err := testOfferings(p, snapshot)
	return g, err
}

// mergeProblems adds Problems that are not among others yet, each in its order.
func mergeProblems(all, more []platform.Problem) []platform.Problem {
	known := map[string]bool{}
	for _, problem := range all {
		known[problem.String()] = true
	}
	for _, problem := range more {
		if text := problem.String(); !known[text] {
			known[text] = true
			all = append(all, problem)
		}
	}
	slices.SortStableFunc(all, platform.Problem.Compare)
	return all
}
