package catalog

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

const (
	// mostCompared and mostLines are how many bytes and lines a file may have of which lines are compared: the time for them is about the
	// square of the lines.
	mostCompared = 64 << 10
	mostLines    = 4000
	// MostFiles is how many files are compared line by line.
	MostFiles = 200
	// mostDiff and mostDiffs are how many bytes of differences are shown of a file, and of all files.
	mostDiff  = 16 << 10
	mostDiffs = 128 << 10
)

// fileChanges compares two directories, version.yaml apart, which the contract is about.
func fileChanges(from, to *platform.Version) ([]File, error) {
	old, err := contents(from.Files)
	if err != nil {
		return nil, err
	}
	now, err := contents(to.Files)
	if err != nil {
		return nil, err
	}
	all := []File{}
	for name, data := range old {
		if other, there := now[name]; !there {
			all = append(all, File{Path: name, Action: preview.Removed})
		} else if !bytes.Equal(data, other) {
			all = append(all, File{Path: name, Action: preview.Changed})
		}
	}
	for name := range now {
		if _, there := old[name]; !there {
			all = append(all, File{Path: name, Action: preview.Added})
		}
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	room := mostDiffs
	for i := range all {
		f := &all[i]
		if i >= MostFiles {
			room = 0
		}
		most := min(room, mostDiff)
		f.Diff, f.Omitted = linesOf(old[f.Path], now[f.Path], most)
		if room -= len(f.Diff); f.Omitted == moreDiffer && most < mostDiff {
			room = 0 // the next line found no room
		}
	}
	return all, nil
}

// moreDiffer says that lines are omitted because there are many of them.
const moreDiffer = "more lines differ than are shown"

// linesOf are the lines that differ, as many as fit, and why there are no more of them; empty: these are all.
func linesOf(before, after []byte, room int) (diff, omitted string) {
	for _, text := range [][]byte{before, after} {
		switch {
		case !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0:
			return "", "it is not text"
		case len(text) > mostCompared || bytes.Count(text, []byte("\n")) > mostLines:
			return "", "it is too long to be compared line by line"
		}
	}
	if room == 0 {
		return "", moreDiffer
	}
	diff = preview.TextDiff(ended(before), ended(after))
	if len(diff) <= room {
		return diff, ""
	}
	diff = diff[:room]
	return diff[:strings.LastIndexByte(diff, '\n')+1], moreDiffer
}

// ended is a text whose last line ends.
func ended(text []byte) string {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return string(text) + "\n"
	}
	return string(text)
}

// contents reads the files of a version's directory, without version.yaml.
func contents(fsys fs.FS) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "version.yaml" {
			return err
		}
		all[name], err = fs.ReadFile(fsys, name)
		return err
	})
	return all, err
}
