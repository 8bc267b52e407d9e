package fleet_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// tree is a commit of a state repository in memory.
type tree struct {
	files      map[string][]byte
	unreadable map[string]error // by path, of a file or a directory
}

func (t tree) ReadFile(name string) ([]byte, error) {
	if err := t.unreadable[name]; err != nil {
		return nil, err
	}
	if data, ok := t.files[name]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (t tree) Blobs(dir string) (map[string]string, error) {
	if err := t.unreadable[dir]; err != nil {
		return nil, err
	}
	blobs := map[string]string{}
	for name, data := range t.files {
		if strings.HasPrefix(name, dir+"/") {
			blobs[name] = digest(data)
		}
	}
	return blobs, nil
}

// ReadDir knows no ids, so that every directory is looked into at every Deploy.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := t.unreadable[name]; err != nil {
		return nil, err
	}
	below := map[string]bool{} // by name, whether it is a directory
	for file := range t.files {
		if rest, ok := strings.CutPrefix("./"+file, "./"+strings.TrimPrefix(name+"/", "./")); ok {
			first, _, dir := strings.Cut(rest, "/")
			below[first] = dir
		}
	}
	var entries []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(below)) {
		entries = append(entries, entry{name: name, dir: below[name]})
	}
	return entries, nil
}

// entry has the methods of a directory entry that fleet calls.
type entry struct {
	fs.DirEntry
	name, id string
	dir      bool
}

func (e entry) Name() string { return e.name }
func (e entry) IsDir() bool  { return e.dir }
func (e entry) ID() string   { return e.id }

func (e entry) HasID(id string) bool { return e.id == id }

// with returns the next commit, which has the other files too; nil content removes one.
func (t tree) with(changes map[string][]byte) tree {
	files := maps.Clone(t.files)
	for name, data := range changes {
		if files[name] = data; data == nil {
			delete(files, name)
		}
	}
	return tree{files: files}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// place is the content of one instance, the same on each of some clusters.
func place(o apply.Owner, value string, clusters ...string) map[string][]byte {
	manifests := configMap(o, value)
	release := &state.Release{
		Key: platform.RequestKey{Team: o.Team, Name: o.Request}, Digest: digest([]byte(value)),
		Offering: "settings", Version: "1.0.0", VersionDigest: digest(nil), Commit: "c0ffee",
		File: "requests/" + o.Team + "/" + o.Request + ".yaml", Scope: platform.Namespaced,
		Clusters: map[string]state.Placement{},
	}
	files := map[string][]byte{}
	for _, c := range clusters {
		files["clusters/"+c+"/"+o.Team+"/"+o.Request+".yaml"] = manifests
		files["clusters/"+c+"/"+o.Team+"/_namespace.yaml"] = namespace(o)
		release.Clusters[c] = state.Placement{Revision: digest(manifests), RenderKey: digest([]byte(value)), Namespace: o.Team}
	}
	files["releases/"+o.Team+"/"+o.Request+".yaml"] = release.Encode()
	return files
}

// adopting is place for a request that takes over objects that exist.
func adopting(o apply.Owner, value string, clusters ...string) map[string][]byte {
	files := place(o, value, clusters...)
	name := "releases/" + o.Team + "/" + o.Request + ".yaml"
	release, err := state.DecodeRelease(files[name])
	if err != nil {
		panic(err)
	}
	release.Key, release.Adopt = key(o), true
	files[name] = release.Encode()
	return files
}

func configMap(o apply.Owner, value string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: ConfigMap
metadata:
  name: %[3]s-settings
  namespace: %[2]s
  labels:
    app.kubernetes.io/managed-by: transom
    transom.dev/environment: %[1]s
    transom.dev/team: %[2]s
    transom.dev/request: %[3]s
data: {value: %[4]q}
`, o.Environment, o.Team, o.Request, value)
}

func namespace(o apply.Owner) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Namespace
metadata:
  name: %[2]s
  labels:
    app.kubernetes.io/managed-by: transom
    transom.dev/environment: %[1]s
    transom.dev/team: %[2]s
`, o.Environment, o.Team)
}

// dev is an instance of the environment dev.
func dev(request string) apply.Owner {
	return apply.Owner{Environment: "dev", Team: "payments", Request: request}
}

// many returns that number of instances, in order.
func many(n int) []apply.Owner {
	var owners []apply.Owner
	for i := range n {
		owners = append(owners, dev(fmt.Sprintf("app-%03d", i)))
	}
	return owners
}
