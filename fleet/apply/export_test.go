package apply

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Uncovered is uncovered over a field set in JSON, for tests; empty if all is covered.
func Uncovered(set, object map[string]any) string { return uncovered(set, object).String() }

// Unaltered says whether the manifests of a text, if they are remembered, are as they were decoded.
func (s *Shared) Unaltered(text []byte) bool {
	fresh, _ := decode(text)
	known := slices.Clone(s.Remembered(text))
	for i := range known {
		known[i].whole = nil // which is remembered
	}
	for i := range fresh {
		fresh[i].whole = nil
	}
	return known == nil || reflect.DeepEqual(known, fresh)
}

// Remembered are the manifests of a text if they are remembered.
func (s *Shared) Remembered(text []byte) []manifest {
	s.decoded.mu.Lock()
	defer s.decoded.mu.Unlock()
	for _, generation := range []map[[sha256.Size]byte]*readOnce[[]manifest]{s.decoded.byText, s.decoded.before} {
		if known := generation[sha256.Sum256(text)]; known != nil {
			return known.value
		}
	}
	return nil
}

// Join counts a cluster that shares.
func (s *Shared) Join() (leave func()) { return s.join() }

// Decode decodes a text.
func (s *Shared) Decode(text []byte) ([]manifest, error) { return s.decode(text) }

// quietWatch is the watch of a kind that tells nobody.
func quietWatch(gvk schema.GroupVersionKind) *objectWatch {
	return newObjectWatch(&kind{gvk: gvk}, func(Owner) {}, func(Owner) bool { return false })
}

// Relist has a watch that knows one object at a version take a list as it was at another, and returns the version at
// which it knows the object then; empty if it does not.
func Relist(known string, list map[string]string, asOf string) string {
	w := quietWatch(schema.GroupVersionKind{})
	w.objects[key{name: "web"}] = &live{version: known, traits: &traits{}, oddities: none, byStatus: &statusHealth{}}
	all := map[key]any{}
	for name, version := range list {
		all[key{name: name}] = &live{version: version, traits: &traits{}, oddities: none, byStatus: &statusHealth{}}
	}
	w.replace(all, asOf)
	if l := w.objects[key{name: "web"}]; l != nil {
		return l.version
	}
	return ""
}

// HealthByStatus is healthByStatus of an object in YAML that we applied last at a time.
func HealthByStatus(manifest string, applied time.Time) (state.Health, string, error) {
	var u unstructured.Unstructured
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err == nil {
		err = u.UnmarshalJSON(raw)
	}
	if err == nil {
		err = readAlike(&u)
	}
	o := healthByStatus(&u, applied)
	return o.health, o.message, err
}

// readAlike returns an error if an object has another health as it is read of the watch of its kind.
func readAlike(u *unstructured.Unstructured) error {
	gvk := u.GroupVersionKind()
	if gvk.Group != "apps" {
		return nil
	}
	typed, err := scheme.Scheme.New(gvk)
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.DeepCopy().Object, typed)
	}
	if err != nil {
		return err
	}
	found, want := quietWatch(gvk).reduce(typed).(*live), reduceWhole(u.DeepCopy())
	want.arrived, found.arrived = 0, 0
	if !reflect.DeepEqual(found, want) {
		return fmt.Errorf("by the watch of its kind it is %+v, not %+v", found, want)
	}
	return nil
}

// Missing is the first field that an entry of ours does not own of the only manifest of a text, as it is remembered; empty if it owns all.
// With a field, the version leaves that to others.
func (s *Shared) Missing(text []byte, entries []metav1.ManagedFieldsEntry, ignored ...string) (string, error) {
	all, err := s.decode(text)
	if err != nil {
		return "", err
	}
	d := &desired{manifest: all[0], live: reduceMeta(all[0].gvk.GroupKind(), &metav1.ObjectMeta{ManagedFields: entries})}
	in := Instance{Ignore: []platform.Ignore{{Group: d.object.Group, Kind: d.object.Kind, Fields: ignored}}}
	w := writer{target: &target{in: in}}
	return w.findMissing(d, ownEntry(d.live.entries)).String(), nil
}

// HealthOfCustom is the health of a custom resource in YAML that was seen long after it was applied, by a version's health entries
// and by all that is known of its kind, or, known: false, by kstatus where the version says nothing.
func HealthOfCustom(manifest []byte, known bool, entries ...platform.Health) (health state.Health, message string, err error) {
	var u unstructured.Unstructured
	raw, err := yaml.YAMLToJSON(manifest)
	if err == nil {
		err = u.UnmarshalJSON(raw)
	}
	if err != nil {
		return "", "", err
	}
	gvk := u.GroupVersionKind()
	d := &desired{live: reduceWhole(&u)}
	d.gvk, d.object = gvk, Object{Group: gvk.Group, Kind: gvk.Kind, Name: u.GetName()}
	if !known {
		health, message = kstatusHealth(d.live.body)
		return health, message, nil
	}
	a := assessment{target: &target{in: Instance{Health: entries}, cluster: &Cluster{health: newHealthCache()}}}
	health, message = a.assessCustom(d)
	return health, message, nil
}

// Impatient has a Cluster wait for so long only before it deletes a pod that never started. It is called before any visit.
func (c *Cluster) Impatient(wait time.Duration) { c.unstartedFor = wait }

// NoteDeletion is noteDeletion.
var NoteDeletion = noteDeletion

// ListsThatHang starts so many streams that share something, each of them a list that is not answered before ctx ends, or, failed: that fails
// first and is not answered after that. It counts the lists that are under way.
func ListsThatHang(ctx context.Context, shared *Shared, streams int, failed bool) *atomic.Int64 {
	var under atomic.Int64
	for range streams {
		var asked atomic.Int32
		ask := func(ctx context.Context) error {
			if failed && asked.Add(1) <= 2 { // as events, and, as that failed, as a list
				return errors.New("refused")
			}
			under.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}
		s := newStream("hung", source{
			list:  func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) { return nil, ask(ctx) },
			watch: func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) { return nil, ask(ctx) },
		}, quietWatch(schema.GroupVersionKind{}))
		s.shared, s.reached, s.limits = shared, func(*stream, error) {}, DefaultLimits
		go s.run(ctx)
	}
	return &under
}

// Take has a watch of a kind take events, a JSON object each, as a stream hands them on. It names the fault: an object that
// is known at an older version than was seen of it since it was last removed.
func Take(gvk schema.GroupVersionKind, events []byte) error {
	w := quietWatch(gvk)
	s := reflected{newStream("fuzz", source{}, w)}
	newest := map[key]string{}
	for decoder := json.NewDecoder(bytes.NewReader(events)); ; {
		var event struct {
			Type   string
			Object map[string]any
		}
		if decoder.Decode(&event) != nil {
			return nil
		}
		u := &unstructured.Unstructured{Object: event.Object}
		u.SetGroupVersionKind(gvk)
		k := key{u.GetNamespace(), u.GetName()}
		if event.Type == "DELETED" {
			_ = s.Delete(u)
			if w.objects[k] == nil {
				delete(newest, k)
			}
			continue
		}
		if err := s.Add(u); err != nil {
			return err
		}
		if known := w.objects[k]; known == nil || older(known.version, newest[k]) || older(known.version, u.GetResourceVersion()) {
			return fmt.Errorf("%v was seen at %s and at %s and is known as %+v", k, newest[k], u.GetResourceVersion(), known)
		}
		newest[k] = w.objects[k].version
	}
}

// Frames are how long the longest event in the bytes that arrived is, and whether the last one has ended, read in parts of a size.
func Frames(framed bool, arrived []byte, part int) (longest int64, within bool) {
	var e events = &jsonEvents{}
	if framed {
		e = &framedEvents{}
	}
	for len(arrived) > 0 {
		n := min(part, len(arrived))
		var l int64
		l, within = e.feed(arrived[:n])
		longest, arrived = max(longest, l), arrived[n:]
	}
	return longest, within
}

// MarksForAgent is marksForAgent of a set's paths in JSON.
func MarksForAgent(fields string) (marks []bool, err error) {
	set := fieldpath.NewSet()
	err = set.FromJSON(strings.NewReader(fields))
	set.Iterate(func(at fieldpath.Path) { marks = append(marks, marksForAgent(at)) })
	return marks, err
}

// Inherit is inherit over entries in JSON, with the path of one field that is left to others; empty without an applier.
func Inherit(entries string, others ...string) (string, error) {
	var all []metav1.ManagedFieldsEntry
	if err := json.Unmarshal([]byte(entries), &all); err != nil {
		return "", err
	}
	var path fieldpath.Path
	for _, name := range others {
		path = append(path, fieldpath.FieldNameElement(name))
	}
	inherited, err := inherit(all, fieldpath.NewSet(path))
	if inherited == nil {
		return "", err
	}
	slices.SortFunc(inherited, func(a, b metav1.ManagedFieldsEntry) int {
		return strings.Compare(a.Manager+string(a.Operation), b.Manager+string(b.Operation))
	})
	text, err := json.Marshal(inherited)
	return string(text), err
}

// KeptBodies is how many of n objects with a text of a size are known after they were read twice.
func KeptBodies(n, size int) (kept int) {
	cache := newHealthCache()
	for i := range 2 * n {
		o := Object{Kind: "ConfigMap", Name: strconv.Itoa(i % n)}
		cache.bodies.put(o, &live{id: identityOf("1"), body: map[string]any{"data": strings.Repeat("x", size)}})
	}
	for i := range n {
		if cache.bodies.get(Object{Kind: "ConfigMap", Name: strconv.Itoa(i)}, &live{id: identityOf("1")}) != nil {
			kept++
		}
	}
	return kept
}

// Paced makes requests of a server as fast as a pace lets them, and returns how many may be under way then. The server says,
// by how many are under way, how long a request takes and with which status it ends. It is called in a bubble.
func Paced(floor, requests int, serve func(under int) (time.Duration, int)) (width int) {
	return NewPacing(floor).Make(requests, serve)
}

// A Pacing is the pace of one server.
type Pacing struct{ *pace }

// NewPacing returns the pace of a server that nobody asked anything yet.
func NewPacing(floor int) Pacing { return Pacing{newPace(floor)} }

// Make is Paced. A request that ends with 200 is a write.
func (p Pacing) Make(requests int, serve func(under int) (time.Duration, int)) (width int) {
	var all sync.WaitGroup
	for range requests {
		all.Go(func() {
			p.begin(nil)
			defer p.end()
			p.mu.Lock()
			under := p.under
			p.mu.Unlock()
			took, status := serve(under)
			<-time.After(took)
			if p.heed(&http.Response{StatusCode: status}); status == http.StatusOK {
				p.wrote(took)
			}
		})
	}
	all.Wait()
	return p.width()
}

// OwnersOf is ownersOf, for tests.
func OwnersOf(p *corev1.Pod) []Object { return ownersOf(p) }

// Sit is sit.
func (s *Shared) Sit(ctx context.Context) (context.Context, func()) { return s.sit(ctx) }

// Locks are locks.
type Locks struct{ locks }

// Lock is lock.
func (l *Locks) Lock(ctx context.Context, name string) (unlock func()) { return l.lock(ctx, name) }

// LeaveDesk is leaveDesk.
func LeaveDesk(ctx context.Context) { leaveDesk(ctx) }

// arrived is an object of which our entry claims a field set, as a watch hands it on.
func (s *Shared) arrived(fields string) *live {
	gvk := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	w := quietWatch(gvk)
	w.stream = newStream("arrivals", source{}, w)
	w.shared = s
	return w.reduce(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "web", Labels: map[string]string{state.LabelManagedBy: manager}, Annotations: map[string]string{state.AnnotationDigest: "sha256:1"},
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: manager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
		}},
	}}).(*live)
}

// RecordWhole takes that the field set of such an object covers its manifest, and Compares says whether it is still to be compared.
func (s *Shared) RecordWhole(fields string)   { s.recordWhole(s.arrived(fields).traits) }
func (s *Shared) Compares(fields string) bool { return s.arrived(fields).entries != nil }

// Busy takes a 429 with a Retry-After, and returns how long it takes until the next request may begin. It is called in a bubble.
func (p Pacing) Busy(after string) time.Duration {
	p.heed(&http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {after}}})
	began := time.Now()
	p.begin(nil)
	defer p.end()
	return time.Since(began)
}

// Young is young, of an object that was made and patched at these times by the API server's clock, and patched at one by ours.
func Young(created, applied, patched time.Time) bool {
	return young(&live{created: serverTimeOf(created), applied: serverTimeOf(applied), patched: ownTimeOf(patched)})
}

// Hangs says whether a deletion that began at a time is told.
func Hangs(since, now time.Time) bool { return (&ending{since: since}).hangs(now) != "" }

// ListEvery has a Cluster list everything anew after a time. It is called before the first visit.
func (c *Cluster) ListEvery(d time.Duration) { c.watches.relistAfter = d }

// Quiet are the limits where a watch may be silent for so long.
func (l Limits) Quiet(d time.Duration) Limits {
	l.quiet = d
	return l
}

// QuietFor is how long a watch may be silent where a request has such a timeout.
func QuietFor(timeout time.Duration) time.Duration { return Limits{Timeout: timeout}.orDefault().quiet }
