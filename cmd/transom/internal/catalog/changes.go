package catalog

import (
	"fmt"
	"io"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// Changes are those of a version against another of its offering: in its contract, and in its files.
type Changes struct {
	From     string     `json:"from"`
	To       string     `json:"to"`
	Contract []Contract `json:"contract"`
	Files    []File     `json:"files"`
}

// A Contract is a change of a field that requests and their readers can rely on.
type Contract struct {
	What   string         `json:"what"` // parameter, computed, component, binding, output or setting
	Name   string         `json:"name"`
	Action preview.Action `json:"action"`
	From   string         `json:"from,omitempty"`
	To     string         `json:"to,omitempty"`
}

// A File is a change of a file of the version's directory.
type File struct {
	Path    string         `json:"path"`
	Action  preview.Action `json:"action"`
	Diff    string         `json:"diff,omitempty"`
	Omitted string         `json:"omitted,omitempty"` // why lines that differ are not in Diff
}

// Compare compares the contracts and the files of two versions.
func Compare(from, to *platform.Version) (*Changes, error) {
	files, err := fileChanges(from, to)
	return &Changes{From: from.String(), To: to.String(), Contract: contractChanges(from, to), Files: files}, err
}

// changesOf are those of a version against the one before; nil: it is the first.
func changesOf(o *platform.Offering, v *platform.Version) (*Changes, error) {
	before := o.Before(v)
	if before == nil {
		return nil, nil
	}
	return Compare(before, v)
}

// Text prints the changes for people, a line or three for each.
func (c *Changes) Text(w io.Writer, p terminal.Paint) {
	for _, one := range c.Contract {
		name := one.What + " " + one.Name
		switch one.Action {
		case preview.Added:
			fmt.Fprintf(w, "  %s\n", p.Green("+ "+name+": "+oneLine(one.To)))
		case preview.Removed:
			fmt.Fprintf(w, "  %s\n", p.Red("- "+name+": "+oneLine(one.From)))
		default:
			fmt.Fprintf(w, "  %s\n    %s\n    %s\n", p.Yellow("~ "+name), p.Red("- "+oneLine(one.From)), p.Green("+ "+oneLine(one.To)))
		}
	}
	signs := map[preview.Action]string{preview.Added: p.Green("+"), preview.Removed: p.Red("-"), preview.Changed: p.Yellow("~")}
	for _, f := range c.Files {
		fmt.Fprintf(w, "  %s file %s\n", signs[f.Action], f.Path)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
