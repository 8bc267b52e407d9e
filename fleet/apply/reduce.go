package apply

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"transom.dev/render/state"
)

// live is an object of the cluster, reduced to the fields that are needed. It is never changed once it is in a watch's store.
type live struct {
	id         identity
	version    string // resourceVersion
	generation int64
	created    serverTime
	*traits
	*oddities
	arrived  ownTime // when a watch first saw that digest, by our clock; zero: we wrote it
	deleting bool

	// entries is kept only until the field set of ours was compared with the desired object; covered is the hash that passed.
	covered     uint64
	applied     serverTime // when our manager last changed it, in whole seconds of the API server's clock
	patched     ownTime    // the same by our own clock; zero if it was before this connection
	entries     []metav1.ManagedFieldsEntry
	corrections *corrections // of fields that others took; nil: none

	// For health: the status of a built-in kind, the body of a custom one, neither where metadata says all.
	// They are of resourceVersion seenVersion, which is older than version while a PATCH of ours has been answered
	// but not yet seen by the watch.
	byStatus    *statusHealth
	body        map[string]any
	reported    serverTime // when somebody last changed the status of a custom one, as applied
	seenVersion string
}

// traits are the fields of an object that are the same on all clusters that have the same manifest, so that these share them.
type traits struct {
	labels     labelSet
	offering   string // by its label
	digest     string
	fields     uint64 // a hash of the field set that our manager's entry claims; 0 without an entry
	prunable   bool   // annotated so that even a kind whose objects have data may go
	generated  bool   // a Secret whose values were made here
	pruneFirst bool   // must go before its replacement is applied
	handed     bool   // its replicas were handed over, and nobody took them yet
	byAgent    bool   // an agent owns fields of it
}

// oddities are those of few objects. All others have the same, empty ones.
type oddities struct {
	kept     *kept      // the instance that let it go, as it remembers; nil: none
	ending   *ending    // of an object that is being deleted; nil: it is not
	added    []addition // by hand, beside the fields of others
	dataKeys []string   // of a Secret, without values
}

var none = &oddities{} // which nobody changes

// labelSet are the labels that ownership is read from.
type labelSet struct {
	owner   Owner
	managed bool // app.kubernetes.io/managed-by is ours
}

var seed = maphash.MakeSeed()

// reduceMeta keeps the metadata of an object that applying needs.
func reduceMeta(gk schema.GroupKind, m metav1.Object) *live {
	annotations, entries := m.GetAnnotations(), entriesOf(m)
	l := &live{
		id:         identityOf(m.GetUID()),
		version:    m.GetResourceVersion(),
		generation: m.GetGeneration(),
		created:    serverTimeOf(m.GetCreationTimestamp().Time),
		deleting:   m.GetDeletionTimestamp() != nil,
		entries:    entries,
		byStatus:   &statusHealth{},
		traits: &traits{
			labels:     labelSet{ownerOf(m.GetLabels()), m.GetLabels()[state.LabelManagedBy] == manager},
			offering:   m.GetLabels()[state.LabelOffering],
			digest:     annotations[state.AnnotationDigest],
			prunable:   annotations[state.AnnotationPrune] == "true",
			generated:  annotations[state.AnnotationGenerate] != "",
			pruneFirst: annotations[state.AnnotationPruneOrder] == state.PruneFirst,
		},
		oddities: &oddities{kept: readKept(annotations), ending: endingOf(m), added: additions(entries)},
	}
	l.byAgent = slices.ContainsFunc(l.entries, func(e metav1.ManagedFieldsEntry) bool { return isAgent(&e) })
	l.handed = slices.ContainsFunc(l.entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == handoverManager })
	if own := ownEntry(l.entries); own != nil {
		l.fields = maphash.Bytes(seed, own.FieldsV1.GetRawBytes())
		if own.Time != nil {
			l.applied = serverTimeOf(own.Time.Time)
		}
	}
	if gk == (schema.GroupKind{Kind: "Secret"}) {
		l.dataKeys = claimedKeys(l.entries)
	}
	if l.kept == nil && l.ending == nil && len(l.added) == 0 && len(l.dataKeys) == 0 {
		l.oddities = none
	}
	return l
}

// reduceWhole also keeps the fields that health needs.
func reduceWhole(u *unstructured.Unstructured) *live {
	gk := u.GroupVersionKind().GroupKind()
	l := reduceMeta(gk, u)
	l.seenVersion = l.version
	if custom(gk) {
		l.body, l.reported = reduceBody(u), serverTimeOf(reportedAt(l.entries))
	} else {
		*l.byStatus = healthByStatus(u, l.applied.time())
	}
	return l
}

// reduceWorkload is reduceWhole of a workload of Kubernetes' own, which was given without its template: health reads nothing of that.
func reduceWorkload(gvk schema.GroupVersionKind, o workload, shared *Shared) *live {
	l := reduceMeta(gvk.GroupKind(), o)
	l.seenVersion = l.version
	o.SetManagedFields(nil)
	*l.byStatus = shared.workloadHealth(gvk, o, l.applied.time())
	return l
}

// reduceForEntry keeps the fields of an object that a health expression may read.
func reduceForEntry(u *unstructured.Unstructured, seen *live) *live {
	gk := u.GroupVersionKind().GroupKind()
	l := reduceMeta(gk, u)
	dropOutlived(gk, u.Object, l.applied.time())
	l.seenVersion, l.patched = l.version, seen.patched
	l.reported = serverTimeOf(reportedAt(l.entries))
	l.entries = nil
	l.body = reduceBody(u)
	return l
}

// carryOver carries over the findings about the object's last state: a field set that was good is still good.
func (l *live) carryOver(old *live) {
	if old == nil || old.id != l.id {
		return
	}
	if l.corrections == nil {
		l.corrections = old.corrections
	}
	if old.digest == l.digest {
		l.arrived = old.arrived
		if l.covered == 0 {
			l.covered = old.covered
		}
	}
	if l.covered != 0 && l.covered == l.fields {
		l.entries = nil
	}
	if l.patched == 0 && l.applied == old.applied {
		l.patched = old.patched
	}
	if l.seenVersion == "" {
		l.byStatus, l.body, l.reported, l.seenVersion = old.byStatus, old.body, old.reported, old.seenVersion
	}
}

// share has the object share traits and a status that are equal to its own.
func (l *live) share(t *traits, s *statusHealth) { l.traits, l.byStatus = t, s }

// arrive records that a watch sees the object now.
func (l *live) arrive() { l.arrived = ownTimeOf(time.Now()) }

// recordWrite records, of the answer to an apply of ours, whether that changed the object, and whether it claimed fields back.
func (l *live) recordWrite(before *live, claimsBack bool) {
	now := time.Now()
	if before == nil || before.version != l.version {
		l.patched = ownTimeOf(now)
	}
	if claimsBack {
		l.corrections = before.corrections.next(now)
	}
}

// cover records that the field set of the object covers the desired fields, so that its entries are needed no more.
func (l *live) cover() { l.covered, l.entries = l.fields, nil }

// write records that the object is as a write of ours made it.
func (l *live) write() {
	l.cover()
	l.arrived = 0
}

// uid is the UID of the object, as the API server writes it.
func (l *live) uid() types.UID { return l.id.UID() }

// seen says whether the watch has seen the object as it is after our last PATCH.
func (l *live) seen() bool { return l.seenVersion == l.version }

// reported are the built-in kinds that kstatus assesses by their status. All other built-in kinds are healthy once
// applied, so that their metadata says all: some have no status, and of some it says nothing about them, such as
// that of an autoscaler or of a disruption budget.
var reported = map[schema.GroupKind]bool{
	{Group: "apps", Kind: "Deployment"}:                   true,
	{Group: "apps", Kind: "StatefulSet"}:                  true,
	{Group: "apps", Kind: "DaemonSet"}:                    true,
	{Group: "apps", Kind: "ReplicaSet"}:                   true,
	{Group: "batch", Kind: "Job"}:                         true,
	{Kind: "Pod"}:                                         true,
	{Kind: "PersistentVolumeClaim"}:                       true,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}: true,
	crds.gvk.GroupKind():                                  true,
}

// custom says whether a kind is none of Kubernetes' own.
func custom(gk schema.GroupKind) bool {
	return !reported[gk] && !scheme.Scheme.IsGroupRegistered(gk.Group)
}

// wantsWhole says whether health needs more of a kind than its metadata.
func wantsWhole(gk schema.GroupKind) bool { return reported[gk] || custom(gk) }

// reduceBody keeps the fields of a custom resource that a health expression may read, without the times at which nothing but
// time changed.
func reduceBody(u *unstructured.Unstructured) map[string]any {
	body := maps.Clone(u.Object)
	if metadata, ok := body["metadata"].(map[string]any); ok {
		body["metadata"] = without(metadata, []string{"managedFields", "resourceVersion"})
	}
	if status, ok := body["status"].(map[string]any); ok {
		dropTimes(status)
	}
	return body
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
		if isOwn(&entries[i]) {
			return &entries[i]
		}
	}
	return nil
}

// isOwn says whether an entry is the one that our applies write.
func isOwn(e *metav1.ManagedFieldsEntry) bool {
	return e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" && e.FieldsV1 != nil
}

// reportedAt is when the last of those who write a status changed something.
func reportedAt(entries []metav1.ManagedFieldsEntry) time.Time {
	var last time.Time
	for i := range entries {
		e := &entries[i]
		inObject := e.FieldsV1 != nil && bytes.Contains(e.FieldsV1.GetRawBytes(), []byte(`"f:status"`))
		writes := inObject || e.Subresource == "status"
		if writes && e.Time != nil && e.Time.After(last) {
			last = e.Time.Time
		}
	}
	return last
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
