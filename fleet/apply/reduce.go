package apply

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// live is what is kept of an object of the cluster. It is never changed once it is in a watch's store.
type live struct {
	uid        types.UID
	version    string // resourceVersion
	generation int64
	created    metav1.Time
	labels     labelSet
	digest     string
	deleting   bool
	prunable   bool     // annotated so that even a kind that is spared may go
	generated  bool     // a Secret whose values were made here
	pruneFirst bool     // must go before what replaces it is applied
	dataKeys   []string // of a Secret, without values

	// fields is a hash of the field set that our manager's entry claims; 0 without an entry. entries is kept only
	// until that set was compared with the desired object; covered is the hash that passed.
	fields  uint64
	covered uint64
	entries []metav1.ManagedFieldsEntry
	claims  claims // of fields that others took

	// body is what health needs of the object; nil where metadata says all. It is of resourceVersion bodyVersion,
	// which is older than version while a PATCH of ours has been answered but not yet seen by the watch.
	body        map[string]any
	bodyVersion string
}

// labelSet is what ownership is read from.
type labelSet struct {
	owner   Owner
	managed bool // app.kubernetes.io/managed-by is ours
}

var seed = maphash.MakeSeed()

// reduceMeta keeps what applying needs of an object's metadata.
func reduceMeta(gk schema.GroupKind, m metav1.Object) *live {
	annotations := m.GetAnnotations()
	l := &live{
		uid:        m.GetUID(),
		version:    m.GetResourceVersion(),
		generation: m.GetGeneration(),
		created:    m.GetCreationTimestamp(),
		labels:     labelSet{ownerOf(m.GetLabels()), m.GetLabels()[managedByLabel] == manager},
		digest:     annotations[digestAnnotation],
		deleting:   m.GetDeletionTimestamp() != nil,
		prunable:   annotations[pruneAnnotation] == "true",
		generated:  annotations[generateAnnotation] != "",
		pruneFirst: annotations[pruneOrderAnnotation] == "first",
		entries:    m.GetManagedFields(),
	}
	if own := ownEntry(l.entries); own != nil {
		l.fields = maphash.Bytes(seed, own.FieldsV1.GetRawBytes())
	}
	if gk == (schema.GroupKind{Kind: "Secret"}) {
		l.dataKeys = claimedKeys(l.entries)
	}
	return l
}

// reduceWhole also keeps what health needs.
func reduceWhole(u *unstructured.Unstructured) *live {
	l := reduceMeta(u.GroupVersionKind().GroupKind(), u)
	l.body = reduceBody(u)
	l.bodyVersion = l.version
	return l
}

// succeed carries over what was known of the object's last state: a field set that passed still passes.
func (l *live) succeed(old *live) {
	if old == nil || old.uid != l.uid {
		return
	}
	if l.claims == (claims{}) {
		l.claims = old.claims
	}
	if old.digest == l.digest {
		l.covered = old.covered
	}
	if l.covered != 0 && l.covered == l.fields {
		l.entries = nil
	}
	if l.body == nil {
		l.body, l.bodyVersion = old.body, old.bodyVersion
	}
}

// seen says whether the watch has seen the object as it is after our last PATCH.
func (l *live) seen() bool { return l.bodyVersion == l.version }

// needsStatus are the built-in kinds that kstatus judges by their status, with the fields of spec that this reads.
// All other built-in kinds are healthy once applied, so that their metadata says all: some have no status, and of
// some it says nothing about them, such as that of an autoscaler or of a disruption budget.
var needsStatus = map[schema.GroupKind][]string{
	{Group: "apps", Kind: "Deployment"}:                               {"replicas", "selector", "progressDeadlineSeconds"},
	{Group: "apps", Kind: "StatefulSet"}:                              {"replicas", "selector", "updateStrategy"},
	{Group: "apps", Kind: "DaemonSet"}:                                {"selector", "updateStrategy"},
	{Group: "apps", Kind: "ReplicaSet"}:                               {"replicas", "selector"},
	{Group: "batch", Kind: "Job"}:                                     {"parallelism", "completions", "selector", "suspend"},
	{Kind: "Pod"}:                                                     {},
	{Kind: "PersistentVolumeClaim"}:                                   {"storageClassName"},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: {},
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:             {},
}

// custom says whether a kind is none of Kubernetes' own.
func custom(gk schema.GroupKind) bool {
	_, known := needsStatus[gk]
	return !known && !scheme.Scheme.IsGroupRegistered(gk.Group)
}

// wantsWhole says whether health needs more of a kind than its metadata.
func wantsWhole(gk schema.GroupKind) bool {
	_, known := needsStatus[gk]
	return known || custom(gk)
}

// reduceBody keeps of a built-in kind the fields of spec that its rule reads, of a custom one all of spec, and of
// both the status without the times at which nothing but time changed.
func reduceBody(u *unstructured.Unstructured) map[string]any {
	body := map[string]any{
		"apiVersion": u.GetAPIVersion(),
		"kind":       u.GetKind(),
		"metadata":   reduceMetadata(u),
	}
	gk := u.GroupVersionKind().GroupKind()
	if spec, ok := u.Object["spec"].(map[string]any); ok {
		if wanted, known := needsStatus[gk]; known {
			maps.DeleteFunc(spec, func(field string, _ any) bool { return !slices.Contains(wanted, field) })
		}
		body["spec"] = spec
	}
	if status, ok := u.Object["status"].(map[string]any); ok {
		dropTimes(status)
		body["status"] = status
	}
	return body
}

func reduceMetadata(u *unstructured.Unstructured) map[string]any {
	kept := map[string]any{}
	metadata, _ := u.Object["metadata"].(map[string]any)
	for _, field := range []string{"name", "namespace", "uid", "generation", "creationTimestamp", "deletionTimestamp", "labels"} {
		if value, ok := metadata[field]; ok {
			kept[field] = value
		}
	}
	if annotations := u.GetAnnotations(); custom(u.GroupVersionKind().GroupKind()) && len(annotations) > 0 {
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		own := map[string]any{}
		for name, value := range annotations {
			own[name] = value
		}
		kept["annotations"] = own
	}
	return kept
}

// dropTimes removes heartbeat times from conditions, so that a heartbeat is no event.
func dropTimes(status map[string]any) {
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok {
			for _, field := range []string{"lastTransitionTime", "lastUpdateTime", "lastHeartbeatTime", "lastProbeTime"} {
				delete(condition, field)
			}
		}
	}
}

// ownEntry is the entry of managedFields that our applies write.
func ownEntry(entries []metav1.ManagedFieldsEntry) *metav1.ManagedFieldsEntry {
	for i := range entries {
		e := &entries[i]
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" && e.FieldsV1 != nil {
			return e
		}
	}
	return nil
}

// claimedKeys lists the data keys of a Secret that any manager claims: that is how they are known without a value.
func claimedKeys(entries []metav1.ManagedFieldsEntry) []string {
	keys := map[string]bool{}
	for i := range entries {
		data, _ := fieldSet(&entries[i])["f:data"].(map[string]any)
		for field := range data {
			if key, ok := strings.CutPrefix(field, "f:"); ok {
				keys[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
