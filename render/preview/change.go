package preview

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/sync/errgroup"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"

	"transom.dev/render"
	"transom.dev/render/internal/immutable"
	"transom.dev/render/internal/keyorder"
	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	sealing "transom.dev/render/sealed"
	"transom.dev/render/state"
)

// An Action is the effect of a change on an object.
type Action string

// The actions of a plan.
const (
	Added    Action = "added"
	Changed  Action = "changed"
	Replaced Action = "replaced" // changed in a field that the API server does not let change
	Removed  Action = "removed"
	LetGo    Action = "let go" // of a whole cluster: nothing on it is touched any more
)

// A Change is one object of one cluster that a State adds, changes or removes; for a cluster that is let go it names
// only the cluster.
type Change struct {
	Environment string `json:"environment"`
	Cluster     string `json:"cluster"`
	Team        string `json:"team,omitempty"`
	Request     string `json:"request,omitempty"` // empty: the team's namespace

	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`

	Action    Action   `json:"action"`
	Immutable []string `json:"immutable,omitempty"` // of an object that is replaced: the fields that cannot change in place
	Diff      string   `json:"diff,omitempty"`      // lines that begin with '-', '+' or ' ', and "@@" between distant ones

	// These are for the cautions about an object that is removed or replaced.
	hasData  bool // pods of it have claims
	claimsGo bool // and those are deleted with it
	spared   bool // applying deletes it only where it is prunable
	prunable bool
	remade   bool // annotated so that applying deletes it and makes it anew
}

// Object names the object that changes, as people know it: KIND NAMESPACE/NAME.
func (c Change) Object() string { return manifests.Name(c.Kind, c.Namespace, c.Name) }

// Changes lists the changes of the State on its clusters, object by object, sorted. No value of a Secret is in it.
func Changes(before *render.Base, after *render.State) ([]Change, error) {
	var changes []Change
	for _, cluster := range after.LetGo {
		changes = append(changes, Change{Environment: after.Environment, Cluster: cluster, Action: LetGo})
	}
	files := manifestFiles(after)
	found, failures := make([][]Change, len(files)), make([]error, len(files))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		group.Go(func() error {
			found[i], failures[i] = changesOfFile(before, after, file)
			return nil
		})
	}
	_ = group.Wait() // each file has its own failure
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("plan %s: %w", after.Environment, err)
	}
	return append(changes, slices.Concat(found...)...), nil
}

// Between is Changes for files of an environment's state that are not those of one pass. A file that is nil in changed is
// removed.
func Between(r *render.Renderer, p *platform.Platform, environment string, before fs.FS, changed map[string][]byte) ([]Change, error) {
	return Changes(&render.Base{Files: before}, &render.State{Environment: environment, Changes: changed, FixedFields: r.FixedFields(p)})
}

// manifestFiles are the changed files whose objects change, sorted.
func manifestFiles(after *render.State) (files []string) {
	for _, file := range slices.Sorted(maps.Keys(after.Changes)) {
		if in, ok := changeOf(file); ok && !slices.Contains(after.LetGo, in.Cluster) {
			files = append(files, file)
		}
	}
	return files
}

// changeOf names the placement or the namespace whose manifests a file has, as changes of its objects do.
func changeOf(file string) (in Change, ok bool) {
	if cluster, key, ok := state.ParseManifestFile(file); ok {
		return Change{Cluster: cluster, Team: key.Team, Request: key.Name}, true
	}
	in.Cluster, in.Team, ok = state.ParseNamespaceFile(file)
	return in, ok
}

func changesOfFile(before *render.Base, after *render.State, file string) ([]Change, error) {
	was, err := before.Read(file)
	if err != nil {
		return nil, err
	}
	in, _ := changeOf(file)
	in.Environment = after.Environment
	changes, err := compare(in, was, after.Changes[file], after.FixedFields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return changes, nil
}

// compare compares two contents of one manifest file. Most of its objects are the same, and need not be read.
func compare(in Change, was, is []byte, custom immutable.Lookup) ([]Change, error) {
	old, new := manifests.Split(was), manifests.Split(is)
	before, err := documents(without(old, new))
	if err != nil {
		return nil, err
	}
	after, err := documents(without(new, old))
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, id := range sortedIDs(before, after) {
		old, had := before[id]
		new, has := after[id]
		c := in
		c.Action = Changed
		c.APIVersion, c.Kind, c.Namespace, c.Name = new.apiVersion, id.kind, id.namespace, id.name
		switch {
		case !had:
			c.Action = Added
		case !has:
			c.Action, c.APIVersion = Removed, old.apiVersion
			c.lose(id, old)
		case old.text == new.text:
			continue
		default:
			if c.Immutable = immutable.Changed(id.group, id.kind, old.object, new.object, custom); len(c.Immutable) > 0 {
				c.Action, c.remade = Replaced, annotationsOf(new)[state.AnnotationReplace] == "true"
				c.lose(id, old)
			}
		}
		c.Diff = TextDiff(mask(old, new, "***"), mask(new, old, "*** (differs)"))
		changes = append(changes, c)
	}
	return changes, nil
}

// lose finds out whether data is lost with an object.
func (c *Change) lose(id objectID, old document) {
	if id.group == "apps" && id.kind == "StatefulSet" {
		claims, _ := manifests.At(old.object, "spec.volumeClaimTemplates").([]any)
		c.hasData = len(claims) > 0
		c.claimsGo = manifests.At(old.object, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted") == "Delete"
	}
	annotations := annotationsOf(old)
	c.spared = c.Request == "" || state.NeverPruned(id.group, id.kind) || old.secret && annotations[state.AnnotationGenerate] != nil
	c.prunable = c.Request != "" && annotations[state.AnnotationPrune] == "true"
}

func annotationsOf(d document) map[string]any {
	annotations, _ := manifests.At(d.object, "metadata.annotations").(map[string]any)
	return annotations
}

// An objectID names an object of one cluster, in any version of its API.
type objectID struct{ group, kind, namespace, name string }

func (id objectID) String() string { return manifests.Name(id.kind, id.namespace, id.name) }

// A document is one object of a manifest as it is written there.
type document struct {
	apiVersion string
	secret     bool
	text       string
	object     map[string]any
}

// without leaves out the texts that are also among others.
func without(texts, others [][]byte) [][]byte {
	same := make(map[string]bool, len(others))
	for _, text := range others {
		same[string(bytes.TrimSpace(text))] = true
	}
	return slices.DeleteFunc(slices.Clone(texts), func(text []byte) bool { return same[string(bytes.TrimSpace(text))] })
}

func documents(texts [][]byte) (map[objectID]document, error) {
	found := map[objectID]document{}
	for _, text := range texts {
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		object, err := manifests.Object(text)
		if err != nil {
			return nil, fmt.Errorf("read an object: %w", err)
		}
		apiVersion, _ := object["apiVersion"].(string)
		group, _, grouped := strings.Cut(apiVersion, "/")
		if !grouped {
			group = ""
		}
		id := objectID{group: group}
		id.kind, _ = object["kind"].(string)
		id.namespace, _ = manifests.At(object, "metadata.namespace").(string)
		id.name, _ = manifests.At(object, "metadata.name").(string)
		found[id] = document{
			apiVersion: apiVersion,
			secret:     id.kind == "Secret" && id.group == "",
			text:       string(text) + "\n",
			object:     object,
		}
	}
	return found, nil
}

func sortedIDs(a, b map[objectID]document) []objectID {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.SortedFunc(maps.Keys(all), func(x, y objectID) int {
		return cmp.Or(
			cmp.Compare(x.kind, y.kind), cmp.Compare(x.namespace, y.namespace),
			cmp.Compare(x.name, y.name), cmp.Compare(x.group, y.group))
	})
}

// mask hides the values of a Secret; where one differs from the other side's it says so with the given text.
func mask(d, other document, differs string) string {
	if !d.secret {
		return d.text
	}
	object, compared := k8sruntime.DeepCopyJSON(d.object), other.object
	for _, field := range []string{"data", "stringData"} {
		values, _ := object[field].(map[string]any)
		others, _ := compared[field].(map[string]any)
		for key, value := range values {
			values[key] = "***"
			if was, there := others[key]; there && was != value {
				values[key] = differs
			}
		}
	}
	maskSealing(object, compared, differs)
	masked, err := keyorder.Marshal(object)
	if err != nil {
		return "(a Secret that cannot be written)\n"
	}
	return string(masked)
}

// maskSealing hides how the values of a Secret are sealed, which says nothing to people and differs with each sealing.
func maskSealing(object, compared map[string]any, differs string) {
	text := func(is, was any, there bool) string {
		if there && !reflect.DeepEqual(is, was) {
			return differs
		}
		return "***"
	}
	if block, sealed := object["sops"]; sealed {
		was, there := compared["sops"]
		object["sops"] = text(block, was, there)
	}
	const of = "metadata.annotations"
	annotations, _ := manifests.At(object, of).(map[string]any)
	if subject, sealed := annotations[sealing.AnnotationFor]; sealed {
		others, _ := manifests.At(compared, of).(map[string]any)
		was, there := others[sealing.AnnotationFor]
		annotations[sealing.AnnotationFor] = text(subject, was, there)
	}
}

// TextDiff is a unified diff without its file header, of texts in which every line ends.
func TextDiff(before, after string) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after), Context: 3,
	})
	if err != nil {
		return err.Error()
	}
	return text
}

// lines splits text after each newline; every text here ends with one.
func lines(text string) []string {
	split := strings.SplitAfter(text, "\n")
	return split[:len(split)-1]
}
