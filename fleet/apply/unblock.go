package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"transom.dev/render/state"
)

const (
	unstartedFor     = time.Minute // how long a pod must have been without a container before it may be deleted
	deletionsPerHour = 3           // of pods of one StatefulSet

	deletedPodsAnnotation = "transom.dev/deleted-pods" // on inventories: when pods were deleted, by StatefulSet
)

// obstacle is a pod of a revision before that keeps its StatefulSet from coming to the present one: the controller waits
// for it to be ready before it replaces it, and it will not be. A person has to delete it, but for a pod that lost nothing
// because nothing of it ever ran, and whose revision is known to be bad.
type obstacle struct {
	name string
	pod  *pod
	next string        // how it goes on with the pod; empty: a person has to delete it
	why  string        // that is so
	due  time.Duration // when to look again; 0: at the next event
}

// advice is the text of status about an obstacle.
func (o *obstacle) advice(of Object) string {
	if o.next != "" {
		return o.next
	}
	text := fmt.Sprintf("unless it gets ready, delete it: kubectl delete pod --namespace %s %s", of.Namespace, o.name)
	if o.why != "" {
		text += " (Transom leaves it, because " + o.why + ")"
	}
	return text
}

// deleteObstacles deletes pods of superseded revisions that nothing else would ever replace, where nothing can be lost by it.
func (p *visit) deleteObstacles(ctx context.Context) error {
	if p.stopped() {
		return nil
	}
	for _, d := range p.objects {
		if d.obstacle == nil {
			continue
		}
		deleted, err := unblocking{p.target, p.health.pods, d, d.obstacle}.do(ctx)
		p.pruning.gone = append(p.pruning.gone, deleted...)
		if err != nil && !answered(err) {
			return fmt.Errorf("pod %s of %s: %w", d.obstacle.name, d.object, err)
		}
		if err != nil {
			d.obstacle.next, d.obstacle.why = "", err.Error()
		}
	}
	return nil
}

// unblocking is the decision about one obstacle.
type unblocking struct {
	*target
	pods podDiagnosis
	d    *desired
	o    *obstacle
}

// do checks one condition after the other, the cheap ones first, and deletes the pod if all are met.
func (u unblocking) do(ctx context.Context) (deleted []Change, err error) {
	if u.o.why = u.forbidden(); u.o.why != "" {
		return nil, nil
	}
	failed, err := u.failedHere(ctx)
	if err != nil || !failed {
		u.o.why = cmp.Or(u.o.why, "its revision is not known to have failed here or to have been taken back")
		return nil, err
	}
	now := time.Now()
	if wait := u.cluster.unstartedFor - min(now.Sub(u.o.pod.made), now.Sub(u.o.pod.since)); wait > 0 {
		u.o.due = wait
		u.o.next = fmt.Sprintf("it is deleted when none of its containers has started for %s", u.cluster.unstartedFor)
		return nil, nil
	}
	version, same, err := u.unchanged(ctx)
	if err != nil {
		return nil, err
	}
	if !same {
		u.d.again, u.o.next = true, "it is looked at again, because it changed meanwhile"
		return nil, nil
	}
	booked, err := u.book(ctx, now)
	if err != nil || !booked {
		return nil, err
	}
	deleted, err = u.remove(ctx, version)
	if err != nil && answered(err) {
		if back := u.takeBack(ctx, now); back != nil && !apierrors.IsConflict(back) {
			return nil, back
		}
	}
	return deleted, err
}

// forbidden says why a pod is not deleted regardless of its revision; empty if it may be.
func (u unblocking) forbidden() string {
	rolling := u.d.live.byStatus.rolling
	switch {
	case u.in.ReportDrift:
		return "this environment only reports drift"
	case !u.in.Reversible:
		return "the version that runs is not known to be reversible"
	case !rolling.everywhere:
		return "the StatefulSet does not replace all of its pods by itself"
	case !rolling.ordered:
		return "the StatefulSet does not start its pods in order"
	case !u.o.pod.unstarted:
		return "a container of it has started, or may start yet"
	case slices.ContainsFunc(u.pods.podsOf(u.d), func(w *podWatch) bool { return w.isDeletingPodOf(u.d) }):
		return "another pod of the StatefulSet is being deleted"
	}
	return ""
}

// failedHere says whether the pod's revision comes from a manifest that failed here or was taken back. The controller copies
// the annotations of a StatefulSet to the ControllerRevision that it makes of it: so the digest there names the manifest.
func (u unblocking) failedHere(ctx context.Context) (bool, error) {
	if u.in.Superseded == nil {
		return false, nil
	}
	all, err := u.in.Superseded(ctx)
	if err != nil {
		u.o.why = err.Error()
		return false, nil //nolint:nilerr // it is told in status: the pod stays
	}
	bad := map[string]bool{}
	for _, manifests := range all {
		objects, err := decode(manifests)
		if err != nil {
			continue // it was never applied
		}
		for _, before := range objects {
			if before.object == u.d.object && before.digest != u.d.digest {
				bad[before.digest] = true
			}
		}
	}
	if len(bad) == 0 {
		return false, nil
	}
	var revision *unstructured.Unstructured
	err = u.client.request(ctx, func(ctx context.Context) (err error) {
		revision, err = u.client.dynamic.Resource(controllerRevisions).Namespace(u.d.object.Namespace).Get(ctx,
			u.o.pod.labels[controllerRevisionLabel], metav1.GetOptions{})
		return err
	})
	if err != nil {
		return false, err
	}
	return u.d.live.controls(revision) && bad[revision.GetAnnotations()[state.AnnotationDigest]], nil
}

// unchanged reads the StatefulSet and the pod anew, and says at which resourceVersion the pod still is as it was seen to be.
func (u unblocking) unchanged(ctx context.Context) (version string, same bool, err error) {
	err = u.client.request(ctx, func(ctx context.Context) error {
		set, err := u.client.dynamic.Resource(u.d.kind.resource).Namespace(u.d.object.Namespace).Get(ctx, u.d.object.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		l := reduceWhole(set)
		if l.id != u.d.live.id || l.deleting || l.digest != u.d.digest || l.byStatus.rolling != u.d.live.byStatus.rolling {
			return nil
		}
		now, err := u.client.core.Pods(u.d.object.Namespace).Get(ctx, u.o.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		revision := now.Labels[controllerRevisionLabel]
		version = now.ResourceVersion
		same = now.UID == u.o.pod.uid && l.controls(now) && neverStarts(now) &&
			revision == u.o.pod.labels[controllerRevisionLabel] && revision != l.byStatus.rolling.revision
		return nil
	})
	if apierrors.IsNotFound(err) {
		return "", false, nil
	}
	return version, same, err
}

// book has the inventory remember a deletion before it happens, so that the limit is kept over restarts, and name the state
// that it happens for. It says whether the pod may be deleted.
func (u unblocking) book(ctx context.Context, now time.Time) (booked bool, err error) {
	if err := u.fence.ensureAnew(ctx); err != nil {
		return false, err
	}
	err = u.cluster.inventories.change(ctx, u.in.Owner, func(ctx context.Context, m *v1.ConfigMap) (bool, error) {
		named := readSignature(m.Annotations)
		if known, err := u.in.continues(ctx, named); err != nil || !known {
			return false, cmp.Or(err, errOvertaken)
		}
		if named.outranks(u.in.State) {
			u.o.why = "it is left to whoever works on state commit " + named.Commit
			return false, nil
		}
		all, ok := noteDeletion(m.Annotations[deletedPodsAnnotation], u.d.object, now)
		if !ok {
			u.o.why = fmt.Sprintf("%d pods of the StatefulSet were deleted within the hour, and that did not help", deletionsPerHour)
			u.o.due = 10 * time.Minute
			return false, nil
		}
		metav1.SetMetaDataAnnotation(&m.ObjectMeta, deletedPodsAnnotation, all)
		sign(m, &u.in)
		booked = true
		return true, nil
	})
	if apierrors.IsConflict(err) {
		u.d.again, u.o.next = true, "it is looked at again, because its inventory changed meanwhile"
		return false, nil
	}
	return booked && err == nil, err
}

// takeBack has the inventory forget a deletion that was booked and that the API server refused. Where the inventory changed at
// the same time it is not forgotten, and counts.
func (u unblocking) takeBack(ctx context.Context, booked time.Time) error {
	return u.cluster.inventories.change(ctx, u.in.Owner, func(_ context.Context, m *v1.ConfigMap) (bool, error) {
		all, ok := withoutDeletion(m.Annotations[deletedPodsAnnotation], u.d.object, booked)
		if !ok {
			return false, nil
		}
		if m.Annotations[deletedPodsAnnotation] = all; all == "" {
			delete(m.Annotations, deletedPodsAnnotation)
		}
		return true, nil
	})
}

// noteDeletion adds a deletion to those that an annotation lists, without those of more than an hour ago. It is false if
// there were too many, or if it cannot be read how many there were.
func noteDeletion(text string, of Object, now time.Time) (next string, ok bool) {
	all := map[string][]time.Time{}
	if text != "" && json.Unmarshal([]byte(text), &all) != nil {
		return "", false
	}
	for set, times := range all {
		times = slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) > time.Hour })
		if all[set] = times; len(times) == 0 {
			delete(all, set)
		}
	}
	set := of.Namespace + "/" + of.Name
	if len(all[set]) >= deletionsPerHour {
		return "", false
	}
	all[set] = append(all[set], listedTime(now))
	raw, err := json.Marshal(all)
	return string(raw), err == nil
}

// listedTime is a time as an annotation lists it.
func listedTime(at time.Time) time.Time { return at.UTC().Truncate(time.Second) }

// withoutDeletion is what an annotation lists without a deletion that noteDeletion added; empty: nothing. It is false if the
// deletion is not there.
func withoutDeletion(text string, of Object, at time.Time) (next string, ok bool) {
	all := map[string][]time.Time{}
	if json.Unmarshal([]byte(text), &all) != nil {
		return "", false
	}
	set := of.Namespace + "/" + of.Name
	i := slices.IndexFunc(all[set], listedTime(at).Equal)
	if i < 0 {
		return "", false
	}
	if all[set] = slices.Delete(all[set], i, i+1); len(all[set]) == 0 {
		delete(all, set)
	}
	if len(all) == 0 {
		return "", true
	}
	raw, err := json.Marshal(all)
	return string(raw), err == nil
}

// remove deletes the pod as it was read.
func (u unblocking) remove(ctx context.Context, version string) (deleted []Change, err error) {
	w := u.writerOf(u.d) // the pod is in its namespace
	err = w.request(ctx, func(ctx context.Context) error {
		return w.metadata.Resource(v1.SchemeGroupVersion.WithResource("pods")).Namespace(u.d.object.Namespace).Delete(ctx, u.o.name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &u.o.pod.uid, ResourceVersion: &version},
		})
	})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		u.d.again, u.o.next = true, "it is looked at again, because it changed meanwhile"
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, pods := range u.pods.podsOf(u.d) {
		pods.markDeleting(key{u.d.object.Namespace, u.o.name}, u.o.pod)
	}
	u.o.next = "it was deleted, because none of its containers ever started and its revision failed here or was taken back"
	return []Change{{
		Object: Object{Kind: "Pod", Namespace: u.d.object.Namespace, Name: u.o.name}, Action: Deleted,
		Reason: fmt.Sprintf("%s cannot come to its present revision before: %s", u.d.object, u.o.pod.why),
	}}, nil
}

// startless are the reasons for which a container waits before it was ever made: its image, or its configuration.
var startless = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
	"CreateContainerConfigError": true,
}

// neverStarts says whether no container of a pod has ever started, and none will while its image, its configuration or the
// nodes are as they are.
func neverStarts(p *v1.Pod) bool {
	if p.Status.Phase != v1.PodPending || p.DeletionTimestamp != nil {
		return false
	}
	waits := false
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses) {
		if hasStarted(&c) {
			return false
		}
		if w := c.State.Waiting; w != nil && startless[w.Reason] {
			waits = true
		}
	}
	for _, c := range p.Status.Conditions {
		nowhere := c.Type == v1.PodScheduled && c.Status == v1.ConditionFalse && c.Reason == v1.PodReasonUnschedulable
		if nowhere && p.Spec.NodeName == "" {
			waits = true
		}
	}
	return waits
}

// hasStarted says whether a container runs or ever ran.
func hasStarted(c *v1.ContainerStatus) bool {
	started := c.Started != nil && *c.Started
	ran := c.State.Terminated != nil || c.LastTerminationState != (v1.ContainerState{}) || c.RestartCount > 0
	return started || ran || c.Ready || c.State.Running != nil
}

// sooner is the shorter of two waits; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	}
	return min(a, b)
}
