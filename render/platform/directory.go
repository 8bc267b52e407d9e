package platform

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"transom.dev/render/wording"
)

// A version and an overlay are directories of Kustomize. Only their outline is looked at here; the content of the files is
// rendering's business.

// directory makes a file system and a digest of a directory's files.
func directory(dir string, files []*file) (fs.FS, string) {
	hash, archive := sha256.New(), new(txtar.Archive)
	files = slices.SortedFunc(slices.Values(files), func(a, b *file) int { return cmp.Compare(a.path, b.path) })
	for _, f := range files {
		if f.opaque {
			continue
		}
		name := strings.TrimPrefix(f.path, dir+"/")
		sum := sha256.Sum256(f.data)
		fmt.Fprintf(hash, "%x %q\n", sum, name)
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: f.data})
	}
	fsys, err := txtar.FS(archive)
	if err != nil {
		// The names come from a file system, which cannot have a file and a directory of one name.
		panic(err)
	}
	return fsys, "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// checkComponent checks a version's optional component: its path and the directory there.
func (d *document) checkComponent(field, dir, name string, files []*file) {
	at := path.Join(dir, name)
	below := at + "/"
	switch {
	case name == "":
	case !localPath(name):
		d.problem(field, "path", "%q must be a path inside %s", wording.Shorten(name), dir)
	case !slices.ContainsFunc(files, func(f *file) bool { return strings.HasPrefix(f.path, below) }):
		d.problem(field, "path", "there is no directory %s%s", at, hints(maxListed, setOf(componentsOf(dir, files))).suggest(name))
	default:
		d.checkKustomization(at, files)
	}
}

// componentsOf lists the directories below dir that have a kustomization.yaml.
func componentsOf(dir string, files []*file) (names []string) {
	for _, f := range files {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(f.path, dir+"/"), "/kustomization.yaml"); ok {
			names = append(names, name)
		}
	}
	return names
}

// checkKustomization checks that a directory is a Kustomize Component.
func (d *document) checkKustomization(dir string, files []*file) {
	i := slices.IndexFunc(files, func(f *file) bool { return f.path == dir+"/kustomization.yaml" })
	if i < 0 {
		if !d.opaque {
			d.add(Problem{File: dir, Rule: "kustomization", Message: "has no kustomization.yaml"})
		}
		return
	}
	k := open(files[i])
	kind, apiVersion := k.object.Text("kind"), k.object.Text("apiVersion")
	isComponent := kind == "Component" && apiVersion == "kustomize.config.k8s.io/v1alpha1"
	if k.object != nil && !isComponent {
		message := `must be "apiVersion: kustomize.config.k8s.io/v1alpha1" and "kind: Component"`
		if isBase := k.object.Has("resources"); isBase {
			message += "; what is a base already goes as it is into a directory beside this file, which lists that under resources"
		}
		k.problem("kind", "kustomization", "%s", message)
	}
	for _, p := range k.problems {
		d.add(p)
	}
	d.opaque = d.opaque || k.opaque
}
