package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// scaffold is the result of new and of init: files to begin with.
type scaffold struct {
	Files    []string           `json:"files"`
	Next     string             `json:"next"`
	Problems []platform.Problem `json:"problems,omitempty"` // fields that remain to be filled in, and why a version does not render yet

	contents map[string][]byte
}

func (s *scaffold) add(name, content string) {
	if s.contents == nil {
		s.contents = map[string][]byte{}
	}
	s.contents[name] = []byte(content)
}

// write puts the files into the platform repository. It writes none where one of them exists.
func (s *scaffold) write(dir string) error {
	s.Files = slices.Sorted(maps.Keys(s.contents))
	for _, name := range s.Files {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already; nothing was written", name)
		}
	}
	for _, name := range s.Files {
		if err := workspace.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), s.contents[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scaffold) text(w io.Writer) {
	for _, name := range s.Files {
		fmt.Fprintf(w, "wrote %s\n", name)
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "%s: %s\n", remainingWork(p), p)
	}
	fmt.Fprintln(w, s.Next)
}

// remainingWork is what a Problem of a scaffold is: a value that nobody could guess, or a version that cannot be used yet.
func remainingWork(p platform.Problem) string {
	if isValue(p) {
		return "to fill in"
	}
	return "does not render yet"
}

// isValue says whether a Problem is about a parameter or a binding of a request.
func isValue(p platform.Problem) bool {
	return strings.HasPrefix(p.Field, "spec.parameters") || strings.HasPrefix(p.Field, "spec.bindings")
}

// refuse loads the platform with the scaffold and returns the first Problem that its files have, but for those that
// are to be filled in.
func (s *scaffold) refuse(dir string, toFill func(platform.Problem) bool) error {
	p, err := workspace.LoadEdited(dir, s.contents)
	if err != nil {
		return err
	}
	for _, problem := range p.Problems {
		if problem.Warning || !s.brings(problem.File) {
			continue
		}
		if toFill == nil || !toFill(problem) {
			return fmt.Errorf("%s\nnothing was written", problem)
		}
		s.Problems = append(s.Problems, problem)
	}
	return nil
}

// brings says whether a name is that of a file of the scaffold, or of a directory that one is in.
func (s *scaffold) brings(name string) bool {
	for file := range s.contents {
		if file == name || strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// finish checks a scaffold, writes it and says so.
func finish(cmd *cobra.Command, o *output, s *scaffold, dir string, toFill func(platform.Problem) bool) error {
	if err := s.refuse(dir, toFill); err != nil {
		return err
	}
	if err := s.write(dir); err != nil {
		return err
	}
	return o.print(cmd.OutOrStdout(), s, s.text)
}
