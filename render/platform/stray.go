package platform

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"transom.dev/render/decision"
	"transom.dev/render/wording"
)

// anyTeam is the beginning of the path of a request of which nobody can tell the team.
const anyTeam = "requests/*/"

// underTeam is the part of a request's path below its team's folder.
func underTeam(name string) string {
	rest, _ := strings.CutPrefix(name, "requests/")
	_, file, _ := strings.Cut(rest, "/")
	return file
}

// findings are of the files of a tree that are no content, or not where they belong.
type findings struct {
	// opaque has paths whose content cannot be known, such as a symbolic link's: everything that would be there may
	// exist and is not to be taken for absent. One that begins with anyTeam is a request of whatever team.
	opaque   []string
	problems []Problem

	strays map[string]string // clusters whose file is elsewhere, by name: their placements stay
	holds  []*Decision       // that may be Holds, and are not read

	changed []string // teams that differ from those of the last load, or are gone

	hidden map[string]bool // the paths of opaque, once all is read
	sorted []string        // the same, sorted
}

// indexOpaque takes in that all is read: there may be very many paths that cannot be looked into, and each thing that is missing asks about them.
func (f *findings) indexOpaque() {
	f.hidden, f.sorted = make(map[string]bool, len(f.opaque)), slices.Sorted(slices.Values(f.opaque))
	for _, at := range f.opaque {
		f.hidden[at] = true
	}
}

// mayExist says whether a path is, or is below, one that cannot be looked into.
func (f *findings) mayExist(name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if f.hidden[at] {
			return true
		}
	}
	return f.hidden[anyTeam+underTeam(name)]
}

// incomplete says whether something at or below a path cannot be looked into.
func (f *findings) incomplete(dir string) bool {
	below, _ := slices.BinarySearch(f.sorted, dir+"/")
	return below < len(f.sorted) && strings.HasPrefix(f.sorted[below], dir+"/") || f.mayExist(dir)
}

// A stray is a file of ours at a path where it means nothing.
type stray struct {
	kind, name string
	parts      []string // of its path, from the folder of ours that it is in or was meant to be in
}

// strayOf reads the kind and the name that a file gives itself. It returns false where that is none of our kinds.
func strayOf(f *file, parts []string) (s stray, ok bool) {
	if !isYAML(f.path) || !bytes.Contains(f.data, []byte(APIVersion)) {
		return s, false
	}
	d := open(f)
	s = stray{kind: d.object.Text("kind"), name: d.object.Text("metadata.name"), parts: parts}
	if s.name == "" || !fs.ValidPath(s.name) || strings.ContainsAny(s.name, "/*") {
		s.name = strings.TrimSuffix(path.Base(f.path), path.Ext(f.path))
	}
	return s, d.object.Text("apiVersion") == APIVersion && s.properPath() != ""
}

// properPath is where the file belongs, as far as its content and its path tell; empty where its kind is none of ours.
func (s stray) properPath() string {
	within := func(folder, unknown string) string {
		if s.parts[0] == folder && len(s.parts) > 2 {
			return s.parts[1]
		}
		return unknown
	}
	if slices.Contains(decisionKinds(), s.kind) {
		return path.Join("decisions", within("decisions", "<environment>"), s.name+".yaml")
	}
	switch s.kind {
	case "Request":
		return path.Join("requests", within("requests", "<team>"), s.name+".yaml")
	case "Environment":
		return path.Join("environments", s.name+".yaml")
	case "Cluster":
		return path.Join("clusters", s.name+".yaml")
	case "Policy":
		return path.Join("policies", s.name+".yaml")
	case "Notification":
		return path.Join("notifications", s.name+".yaml")
	case "Offering":
		return path.Join("offerings", s.name, "offering.yaml")
	case "Version":
		number := "<version>"
		if n := len(s.parts); n > 2 {
			if _, err := semver.StrictNewVersion(s.parts[n-2]); err == nil {
				number = s.parts[n-2]
			}
		}
		return path.Join("offerings", s.name, number, "version.yaml")
	}
	return ""
}

// reportMisplaced reports a file that means nothing where it is. One of our kinds is not taken for absent from its proper path: moving a
// file must not delete a database. Nor is a request that only lost its extension, whatever else is in the file.
func (w *walker) reportMisplaced(f *file, parts []string) {
	s, ours := strayOf(f, parts)
	stem := strings.TrimSuffix(f.path, path.Ext(f.path))
	renamed := isYAML(f.path) && path.Ext(f.path) != ".yaml"
	if renamed && parts[0] == "requests" && len(parts) == 3 {
		w.tree.opaque = append(w.tree.opaque, stem+".yaml")
	}
	switch {
	case ours:
		if renamed && parts[0] == "decisions" && len(parts) == 3 {
			w.tree.holds = append(w.tree.holds, &Decision{Kind: decision.Kind(s.kind), File: f.path, Environment: parts[1], Broken: true})
		}
		w.reportStray(f, s)
	case renamed:
		w.warn(f.path, "misplaced", fmt.Sprintf("means nothing here; rename it to %s.yaml", path.Base(stem)))
	default:
		w.warn(f.path, "misplaced", "means nothing here; there is "+properPaths[parts[0]])
	}
}

// reportStray reports a file of ours at a wrong path, and keeps the placements that it stands for.
func (w *walker) reportStray(f *file, s stray) {
	right, p, waits := s.properPath(), Problem{File: f.path, Rule: "misplaced"}, ""
	if n := len(w.tree.holds); n > 0 && w.tree.holds[n-1].File == f.path && w.tree.holds[n-1].MayHold() {
		waits = "; until then all of " + w.tree.holds[n-1].Environment + " waits"
	}
	if _, err := fs.Stat(w.fsys, right); err == nil {
		p.Message = fmt.Sprintf("is %s, which means nothing here; %s is there already: delete one of them%s", article(s.kind), right, waits)
		w.tree.problems = append(w.tree.problems, p)
		return
	}
	stays := waits
	switch s.kind {
	case "Request":
		stays = "; until then what it runs stays as it is"
		w.tree.opaque = append(w.tree.opaque, strings.Replace(right, "/<team>/", "/*/", 1))
		if key, err := ParseRequestKey(strings.TrimSuffix(strings.TrimPrefix(right, "requests/"), ".yaml")); err == nil && key.Team != "<team>" {
			p.Request = &key
		}
	case "Environment":
		stays = "; until then what it runs stays as it is"
		w.tree.opaque = append(w.tree.opaque, right)
	case "Cluster":
		stays = "; until then what runs on it stays as it is"
		w.tree.keepCluster(s.name, f.path)
	}
	p.Message = fmt.Sprintf("is %s, which means nothing here; move it to %s%s", article(s.kind), right, stays)
	w.tree.problems = append(w.tree.problems, p)
}

func (t *tree) keepCluster(name, at string) {
	if t.strays == nil {
		t.strays = map[string]string{}
	}
	t.strays[name] = at
}

func article(kind string) string {
	if strings.ContainsRune("AEIOU", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

// visitForeign visits an entry of the root that is none of ours: a file, a folder whose name is a slip, or one that has our
// folders in it, as after a move of the whole platform. Nothing else is looked into.
func (w *walker) visitForeign(e fs.DirEntry) error {
	name := e.Name()
	switch {
	case e.Type().IsRegular():
		return w.checkForeignFile(name, e, []string{name})
	case !e.IsDir():
		return nil
	}
	if meant := wording.Closest(name, folders); meant != "" {
		return w.visitForeignFolder(name, []string{meant})
	}
	entries, err := fs.ReadDir(w.fsys, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for _, below := range entries {
		if below.IsDir() && slices.Contains(folders, below.Name()) {
			if err := w.visitForeignFolder(name+"/"+below.Name(), []string{below.Name()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// visitForeignFolder visits a folder that stands for one of ours; parts are the path as it was meant.
func (w *walker) visitForeignFolder(dir string, parts []string) error {
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	if err := w.count(len(entries), 0); err != nil || tooDeep(dir) {
		return err
	}
	for _, e := range entries {
		name, meant := dir+"/"+e.Name(), append(slices.Clone(parts), e.Name())
		switch {
		case ignored(e.Name()):
		case e.IsDir():
			err = w.visitForeignFolder(name, meant)
		case e.Type().IsRegular():
			err = w.checkForeignFile(name, e, meant)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkForeignFile reports a file of ours outside our folders, unless its proper path is taken: then it is a copy, and an example.
func (w *walker) checkForeignFile(name string, e fs.DirEntry, parts []string) error {
	if !isYAML(name) {
		return nil
	}
	f, err := w.readFile(name, e)
	if err != nil {
		return err
	}
	w.next[name] = f
	s, ours := strayOf(f, parts)
	if !ours {
		return nil
	}
	if _, err := fs.Stat(w.fsys, s.properPath()); err == nil {
		return nil
	}
	w.reportStray(f, s)
	return nil
}
