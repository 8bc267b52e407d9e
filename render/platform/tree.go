package platform

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"transom.dev/render/wording"
)

// The folders of a platform repository. Whatever else is in it is none of ours.
var folders = []string{"clusters", "decisions", "environments", "notifications", "offerings", "policies", "requests"}

// file is one file of the snapshot and the value that was decoded from it. It is the same value in the next load if its
// bytes are.
type file struct {
	path   string
	id     string // the blob's id, where the file system knows one
	data   []byte
	opaque bool // not a regular file: its content is unknown
	unread bool // a later load reads the content

	decoded any // as the kind that belongs at this path; nil until somebody asked
}

// tree is all files of a snapshot that mean something, by kind.
type tree struct {
	offerings    map[string]*file              // by name
	versions     map[string][]*file            // offerings/<offering>/<version> to its files
	teams        map[string]*teamFiles         // below requests/, by name
	environments map[string]*file              // by name
	overlays     map[string]map[string][]*file // by environment and name
	pullSecrets  map[string]map[string]*file   // by environment and name
	clusters     map[string]*file              // by name
	policies     map[string]*file              // by name
	decisions    map[string]*file              // by path

	notifications map[string]*file // by name

	findings

	hints sync.Map // ends of messages about objects that there are not, by path
}

// hint is the end of a message about an object that there is not. It is made once for each path: very many requests may make the
// same mistake, and to compare a name with all others takes time.
func (t *tree) hint(at string, end func() string) string {
	if made, ok := t.hints.Load(at); ok {
		return made.(string)
	}
	made := end()
	t.hints.Store(at, made)
	return made
}

// identified is a directory entry that knows an id for its content: content with the same id is not read again. Git knows
// one for every file and directory.
type identified interface {
	ID() string
	HasID(id string) bool
}

func idOf(e fs.DirEntry) string {
	if known, ok := e.(identified); ok {
		return known.ID()
	}
	return ""
}

// hasID reports whether the content of a directory entry has an id, which is not empty.
func hasID(e fs.DirEntry, id string) bool {
	known, ok := e.(identified)
	return ok && id != "" && known.HasID(id)
}

// walker reads a snapshot into a tree, taking over from the last load the files that did not change.
type walker struct {
	fsys  fs.FS
	known map[string]*file // of the last load
	next  map[string]*file // of this one
	last  *Platform        // of the last load; nil: there was none
	teams []teamEntry      // of the folder requests
	team  *teamFiles       // that it is in

	rations map[string]*ration // by team; nil: everything is read
	ration  *ration            // of the team that it is in; nil: everything is read
	tree    *tree

	whole  *extent // of the files that were read, and of those that did not have to be
	folder *extent // of the team, version or overlay that it is in
}

func (l *Loader) walk(fsys fs.FS) (*tree, error) {
	w := &walker{fsys: fsys, known: l.files, next: make(map[string]*file, len(l.files)), whole: &extent{}, tree: &tree{
		offerings: map[string]*file{}, versions: map[string][]*file{}, teams: map[string]*teamFiles{},
		environments: map[string]*file{}, overlays: map[string]map[string][]*file{}, clusters: map[string]*file{},
		policies: map[string]*file{}, decisions: map[string]*file{}, notifications: map[string]*file{},
	}}
	if w.last = l.last; w.last != nil {
		w.tree.teams = maps.Clone(w.last.tree.teams)
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read the platform repository: %w", err)
	}
	if err := w.listTeams(entries); err != nil {
		return nil, err
	}
	if l.AtOnce > 0 && l.last != nil {
		if err := w.divide(readsForEach * l.AtOnce); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		if err := w.visitTop(e); err != nil {
			return nil, err
		}
	}
	w.dropTeams()
	l.files = w.next
	w.tree.indexOpaque()
	return w.tree, w.tree.checkCounts()
}

// rightsFile is where a repository keeps the rights that clusters gave the daemon; "transom check" reads it.
const rightsFile = "rights.yaml"

// visitTop visits an entry of the root. Of entries that are not ours only those that look like a mistake are reported.
func (w *walker) visitTop(e fs.DirEntry) error {
	name := e.Name()
	for _, f := range folders {
		if name == f {
			if e.Type().IsRegular() {
				w.hide(name, "type", "must be a folder")
				return nil
			}
			return w.visitEntry(name, e)
		}
	}
	hint, found := wording.Suggest(name, folders), len(w.tree.problems)
	if ignored(name) || name == rightsFile {
		return nil
	}
	if err := w.visitForeign(e); err != nil || len(w.tree.problems) > found {
		return err
	}
	if hint != "" {
		w.warn(name, "misplaced", "means nothing here"+hint)
	} else if isYAML(name) {
		w.warn(name, "misplaced", "means nothing here; the folders of a platform repository are "+wording.List(folders))
	}
	return nil
}

func (w *walker) visitFolder(dir string) error {
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	if err := w.count(len(entries), 0); err != nil {
		return err
	}
	for _, e := range entries {
		if ignored(e.Name()) {
			continue
		}
		if err := w.visitEntry(dir+"/"+e.Name(), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) visitEntry(name string, e fs.DirEntry) error {
	switch mode := e.Type(); {
	case mode.IsDir() && name == "requests":
		return w.visitTeams()
	case mode.IsDir() && standsForFile(name):
		w.hide(name, "directory", "is a directory, where a file of this name is read; "+untilMoved(name))
	case mode.IsDir() && countedApart(name):
		return w.visitBoundedFolder(name)
	case mode.IsDir() && tooDeep(name):
		w.hide(name, "too-deep", fmt.Sprintf("is a folder in %d others: it is not looked into", maxDepth))
	case mode.IsDir():
		return w.visitFolder(name)
	case mode.IsRegular():
		return w.visitFile(name, e)
	case mode&fs.ModeSymlink != 0:
		w.hide(name, "symlink", "is a symbolic link; commit what it points to")
	case mode&fs.ModeIrregular != 0:
		w.hide(name, "submodule", "is a submodule; commit the files themselves")
	default:
		w.hide(name, "irregular", "is no regular file")
	}
	return nil
}

// standsForFile says whether a path is one at which a file of ours is read, and no directory.
func standsForFile(name string) bool {
	parts := strings.Split(name, "/")
	if !strings.HasSuffix(name, ".yaml") {
		return false
	}
	switch parts[0] {
	case "requests", "decisions":
		return len(parts) == 3
	case "offerings":
		return len(parts) == 3 && parts[2] == "offering.yaml"
	}
	return len(parts) == 2
}

// untilMoved ends the message about a directory in the place of a file: nobody can tell what the file was.
func untilMoved(name string) string {
	switch folder, environment, _ := strings.Cut(path.Dir(name), "/"); folder {
	case "decisions":
		return "move or delete it: until then all of " + environment + " waits, as the file may be a Hold"
	case "policies":
		return "move or delete it: until then the policy judges nothing"
	case "notifications":
		return "move or delete it: until then nobody is told by it"
	}
	return "what the file stood for stays as it is until this is moved or deleted"
}

// hide reports a path that cannot be read. The path counts as taken all the same.
func (w *walker) hide(name, rule, message string) {
	w.tree.opaque = append(w.tree.opaque, name)
	w.tree.problems = append(w.tree.problems, Problem{File: name, Rule: rule, Message: message})
	w.sortFile(&file{path: name, opaque: true})
}

func (w *walker) visitFile(name string, e fs.DirEntry) error {
	f, err := w.readFile(name, e)
	if err != nil {
		return err
	}
	w.next[name] = f
	w.sortFile(f)
	return nil
}

// readFile returns the file of the last load if it still holds the same.
func (w *walker) readFile(name string, e fs.DirEntry) (*file, error) {
	old := w.known[name]
	same := old != nil && hasID(e, old.id)
	if same && !old.unread {
		return old, w.count(0, int64(len(old.data)))
	}
	id := idOf(e)
	if w.ration.takes(name, id) && w.ration.used() {
		if !same {
			old = &file{path: name, id: id, unread: true}
		}
		return old, nil
	}
	data, err := fs.ReadFile(w.fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := w.count(0, int64(len(data))); err != nil {
		return nil, err
	}
	if old != nil && !old.unread && bytes.Equal(old.data, data) {
		old.id = id
		return old, nil
	}
	return &file{path: name, id: id, data: data}, nil
}

// sortFile sorts a file by the kind that its path stands for.
func (w *walker) sortFile(f *file) {
	t, parts := w.tree, strings.Split(f.path, "/")
	name, yaml := strings.CutSuffix(parts[len(parts)-1], ".yaml")
	switch n := len(parts); {
	case n == 1:
	case parts[0] == "offerings" && n == 3 && parts[2] == "offering.yaml":
		t.offerings[parts[1]] = f
	case parts[0] == "offerings" && n >= 3 && w.isVersion(f.opaque, parts):
		dir := path.Join(parts[:3]...)
		tests := n > 3 && parts[3] == "tests"
		if !tests {
			t.versions[dir] = append(t.versions[dir], f)
		}
	case parts[0] == "requests" && n == 3 && yaml && w.team.seals(name, f):
	case parts[0] == "requests" && n == 3 && yaml:
		w.team.add(name, f)
	case parts[0] == "environments" && n == 2 && yaml:
		t.environments[name] = f
	case parts[0] == "environments" && n == 3 && yaml && t.seals(parts[1], name, f):
	case parts[0] == "environments" && n > 3:
		t.overlay(parts[1], parts[2], f)
	case parts[0] == "clusters" && n == 2 && yaml:
		t.clusters[name] = f
	case parts[0] == "policies" && n == 2 && yaml:
		t.policies[name] = f
	case parts[0] == "notifications" && n == 2 && yaml:
		t.notifications[name] = f
	case parts[0] == "decisions" && n == 3 && yaml:
		t.decisions[f.path] = f
	case f.opaque, len(parts) == 4 && parts[0] == "offerings" && parts[3] == "version.yaml":
	default:
		w.reportMisplaced(f, parts)
	}
}

// isVersion says whether a path below an offering belongs to a version.
func (w *walker) isVersion(opaque bool, parts []string) bool {
	number, err := semver.StrictNewVersion(parts[2])
	if err == nil && number.Metadata() == "" {
		return len(parts) > 3 || opaque
	}
	if len(parts) == 4 && parts[3] == "version.yaml" {
		dir := path.Join(parts[:3]...)
		w.tree.problems = append(w.tree.problems, Problem{
			File: dir, Rule: "version", Message: fmt.Sprintf("%q is no semantic version such as 1.4.2%s", parts[2], renamed(parts[2])),
		})
	}
	return false
}

// renamed ends a message about the directory of a version with the name that was probably meant.
func renamed(name string) string {
	number, err := semver.NewVersion(name)
	if err != nil || number.Metadata() != "" {
		return ""
	}
	return "; rename it to " + number.String()
}

func (t *tree) overlay(environment, name string, f *file) {
	if t.overlays[environment] == nil {
		t.overlays[environment] = map[string][]*file{}
	}
	t.overlays[environment][name] = append(t.overlays[environment][name], f)
}

// properPaths says where the files of each folder belong.
var properPaths = map[string]string{
	"clusters":      "clusters/<cluster>.yaml",
	"decisions":     "decisions/<environment>/<name>.yaml",
	"environments":  "environments/<environment>.yaml, environments/<environment>/<overlay>/ and environments/<environment>/<name>.secret.yaml",
	"notifications": "notifications/<notification>.yaml",
	"offerings":     "offerings/<offering>/offering.yaml and offerings/<offering>/<version>/",
	"policies":      "policies/<policy>.yaml",
	"requests":      "requests/<team>/<request>.yaml and requests/<team>/<request>.<environment>.secret.yaml",
}

func (w *walker) warn(name, rule, message string) {
	w.tree.problems = append(w.tree.problems, Problem{File: name, Rule: rule, Message: message, Warning: true})
}

func isYAML(name string) bool {
	extension := strings.ToLower(path.Ext(name))
	return extension == ".yaml" || extension == ".yml"
}

// ignored says whether a file or folder is for people and their tools only.
func ignored(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	return strings.HasPrefix(name, ".") || stem == "README" || stem == "OWNERS" || stem == "OWNERS_ALIASES" || stem == "CODEOWNERS"
}
