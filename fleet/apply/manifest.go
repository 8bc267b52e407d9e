package apply

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fluxcd/pkg/ssa"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Labels and annotations that the applier reads or writes.
const (
	ourPrefix      = "transom.dev/"
	inventoryLabel = "transom.dev/inventory"

	soakedAnnotation    = "transom.dev/soaked"         // on inventories
	checksAnnotation    = "transom.dev/checks"         // on inventories: the answers to checks
	stateAnnotation     = "transom.dev/state"          // on inventories
	identityAnnotation  = "transom.dev/state-identity" // on inventories and namespaces
	scopeAnnotation     = "transom.dev/scope"          // on inventories of cluster-scoped versions
	takeoversAnnotation = "transom.dev/takeovers"      // on fences

	manager           = "transom"
	generatingManager = "transom-generate"
)

// manifest is one object as the state repository has it. Its content is shared and never changes: what is applied is a copy of it.
type manifest struct {
	object  Object
	gvk     schema.GroupVersionKind
	content map[string]any // with the digest annotation
	labels  map[string]string
	digest  string
	signed  string   // the digest that the manifest carries, as where another agent applies it
	rank    int      // in the order of kinds
	step    int      // in the instance's own order
	keys    []string // of a generated Secret
	sealed  []byte   // a sealed Secret, as the state repository has it; nil: it is none

	emptyList bool           // some list of the content has no items
	whole     *atomic.Uint64 // the hash of a field set of ours that owns all fields of the content; 0: none was seen yet
}

// desired is one object that an instance has to have on a cluster, with all that a visit learns of it.
type desired struct {
	manifest
	taking
	finding

	kind   *kind // nil while the cluster does not serve it
	watch  *objectWatch
	live   *live   // nil: not there
	change *Change // that the visit made
	drift  string  // which of its fields others changed, where that is only reported
}

// taking is all that a visit learns of an object that others made and that is taken over.
type taking struct {
	adopts    bool                        // the object that is there is nobody's, and is taken over
	wasKept   bool                        // the object that is there was kept when its request was removed
	unsure    bool                        // it changed while it was looked at, so that nothing of the instance is written
	found     []metav1.ManagedFieldsEntry // its entries as they were
	inherited []metav1.ManagedFieldsEntry // and once those of appliers are ours; nil: there are none
	effect    *Effect                     // a person decides about it
	untried   string                      // why the API server could not be asked before
}

// finding is how an object does, and why.
type finding struct {
	status    ObjectStatus
	assessed  bool          // status says how it does
	fault     string        // the fault that a person must mend
	postponed bool          // it waits for objects of an earlier step
	again     bool          // look again soon
	behind    bool          // it waits for an object that comes before
	due       time.Duration // when to look again at the latest, because nobody tells of its pods; 0: never

	refused    string // the cause for which the API server refused it; see Refusal
	refusedFor string // the same for people

	stuck      bool      // a pod of this revision cannot start
	superseded bool      // only pods of a revision before keep it from being healthy
	obstacle   *obstacle // the pod among them that does
}

// isAtRevision says whether the live object has the desired digest.
func (d *desired) isAtRevision() bool { return d.live != nil && d.live.digest == d.digest }

// isAbsent says whether the object is not there, or will not be for long.
func (d *desired) isAbsent() bool { return d.live == nil || d.live.deleting }

// decode reads a state file, object by object, in the order of the file.
func decode(manifests []byte) ([]manifest, error) {
	var all []manifest
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read document %d: %w", len(all)+1, err)
		}
		m, err := decodeDocument(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(all)+1, err)
		}
		if m != nil {
			all = append(all, *m)
		}
	}
}

// decodeDocument returns nil for an empty document.
func decodeDocument(document []byte) (*manifest, error) {
	u, err := objectIn(document)
	if u == nil || err != nil {
		return nil, err
	}
	if u.GetName() == "" {
		return nil, fmt.Errorf("%s without a name", u.GetKind())
	}
	return newManifest(u), nil
}

// objectIn reads a document as Kubernetes' clients do, by way of JSON; nil: it is empty.
func objectIn(document []byte) (*unstructured.Unstructured, error) {
	if u := plainObjectIn(document); u != nil {
		return u, nil
	}
	raw, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return &u, nil
}

// newManifest takes an object over.
func newManifest(u *unstructured.Unstructured) *manifest {
	gvk := u.GroupVersionKind()
	carried := unsign(u)
	m := &manifest{
		object:  Object{Group: gvk.Group, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName()},
		gvk:     gvk,
		content: u.Object,
		digest:  platform.Digest(u.Object),
		signed:  carried,
		rank:    rankOf(gvk.Kind),
		whole:   &atomic.Uint64{},
	}
	m.emptyList = hasEmptyList(u.Object)
	m.seal(u)
	dropServerFields(u)
	annotations := u.GetAnnotations()
	if annotations[state.AnnotationGenerate] != "" && gvk.Group == "" && gvk.Kind == "Secret" {
		m.keys = generatedKeys(annotations[state.AnnotationGenerateKeys])
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[state.AnnotationDigest] = m.digest
	u.SetAnnotations(annotations)
	m.labels = u.GetLabels()
	return m
}

// unsign takes the digest that rendering wrote for another agent off a manifest, and returns it. An object has one digest, whoever
// applies it: as long as an environment changes over, the manifests of some of its clusters still carry theirs.
func unsign(u *unstructured.Unstructured) string {
	annotations := u.GetAnnotations()
	carried := annotations[state.AnnotationDigest]
	if carried == "" {
		return ""
	}
	if delete(annotations, state.AnnotationDigest); len(annotations) == 0 {
		annotations = nil // as SetAnnotations then leaves the field out
	}
	u.SetAnnotations(annotations)
	return carried
}

// carries says whether an object's labels name the owner.
func (o Owner) carries(labels map[string]string) bool {
	return o == ownerOf(labels)
}

// ownerOf is the owner that labels name.
func ownerOf(labels map[string]string) Owner {
	return Owner{Environment: labels[state.LabelEnvironment], Team: labels[state.LabelTeam], Request: labels[state.LabelRequest]}
}

func (m *manifest) annotation(name string) string {
	value, _ := m.annotated(name)
	return value
}

// annotated also says whether the object has the annotation at all.
func (m *manifest) annotated(name string) (string, bool) {
	value, ok, _ := unstructured.NestedString(m.content, "metadata", "annotations", name)
	return value, ok
}

// ranks is fluxcd's order of kinds: those that others need come first. Kinds that it does not name are 0.
var ranks = func() map[string]int {
	order := map[string]int{}
	for i, kind := range ssa.ReconcileOrder.First {
		order[kind] = i - len(ssa.ReconcileOrder.First)
	}
	for i, kind := range ssa.ReconcileOrder.Last {
		order[kind] = i + 1
	}
	order["Namespace"] = -len(ssa.ReconcileOrder.First) - 1
	return order
}()

func rankOf(kind string) int { return ranks[kind] }

// phases groups objects that may be applied side by side; each phase waits for the one before. First come the
// kinds that make up the cluster's API itself, then those that workloads read, then all others, and last the webhooks, which
// could refuse the rest while the pods that answer them are not yet up.
func phases(all []*desired) [][]*desired {
	sets := make([][]*desired, 4)
	for _, d := range all {
		sets[phaseOf(d)] = append(sets[phaseOf(d)], d)
	}
	return slices.DeleteFunc(sets, func(set []*desired) bool { return len(set) == 0 })
}

// phaseOf is the index of the phase that an object is applied in.
func phaseOf(d *desired) int {
	switch {
	case d.rank > 0:
		return 3
	case d.rank <= ranks["ClusterRoleBinding"]:
		return 0
	case d.rank <= ranks["LimitRange"]:
		return 1
	}
	return 2
}

// generatedKeys reads a list of the keys of a generated Secret, which is "password" if it is empty.
func generatedKeys(list string) []string {
	var keys []string
	for key := range strings.SplitSeq(list, ",") {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return []string{"password"}
	}
	return keys
}

// putAnswer records the API server's answer to a write, before the watch sees it.
func (d *desired) putAnswer(l *live) {
	d.live = d.watch.putAnswer(key{d.object.Namespace, d.object.Name}, l)
}
