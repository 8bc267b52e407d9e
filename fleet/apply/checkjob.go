package apply

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"transom.dev/render/state"
)

// Bounds of the Jobs of checks.
const (
	checkPoll   = time.Second      // from one look at a Job to the next
	checkSpare  = time.Minute      // how long a Job may take to be told as ended after its deadline
	checkStays  = 10 * time.Minute // how long a Job that ended stays, if nobody is there to delete it
	mostSwept   = 500              // Jobs of an environment that one sweep deletes at most
	accountMark = "transom.dev/check-account"
	digestMark  = "transom.dev/check-digest" // of the manifest
)

var (
	jobs       = &kind{gvk: batchv1.SchemeGroupVersion.WithKind("Job"), resource: batchv1.SchemeGroupVersion.WithResource("jobs"), namespaced: true}
	secrets    = &kind{gvk: corev1.SchemeGroupVersion.WithKind("Secret"), resource: corev1.SchemeGroupVersion.WithResource("secrets"), namespaced: true}
	configMaps = &kind{gvk: corev1.SchemeGroupVersion.WithKind("ConfigMap"), resource: corev1.SchemeGroupVersion.WithResource("configmaps"), namespaced: true}
)

// checks run the Jobs of checks; it is part of Cluster.
type checks struct {
	cluster *Cluster
	running sync.Map // Jobs that are waited for, by Object
}

// A CheckJob is a Job that is run beside an instance, and the ConfigMaps and image pull secrets that it needs. It is no part of the instance: no inventory
// lists it, and the health of the instance does not depend on it.
type CheckJob struct {
	Manifest []byte        // with the label state.LabelCheck on each object
	Deadline time.Duration // of the Job
	Log      bool          // the last line of the log of a Job that failed is told
}

// A CheckResult is the end of a Job.
type CheckResult struct {
	Passed  bool
	Message string // why not
}

// A checkRun is one Job of a check on its way.
type checkRun struct {
	client *client
	writer *objectWriter
	in     *Instance
	job    *unstructured.Unstructured
	pulls  []*unstructured.Unstructured // its image pull secrets, with sealed values
	beside []*unstructured.Unstructured // its ConfigMaps
	of     CheckJob
	ailing string // what kept its pods from starting, when that was last seen
}

// RunCheck runs the Job of a check to its end, and has it deleted then. A Job of the same name that still runs is of a daemon before
// this one, and is waited for. One that ended before is of another time, and one of another manifest is another: it is deleted, and run anew. The Job ends by itself at its
// deadline, and is deleted by the cluster where nobody else does it. An error says that there is no result. Of in, Owner, Namespace,
// Accounts, Keys, State and Lineage are read.
func (c *checks) RunCheck(ctx context.Context, in Instance, of CheckJob) (CheckResult, error) {
	if foreign, _, err := c.cluster.foreignSignature(ctx, &in); err != nil || foreign != nil {
		return CheckResult{}, errors.Join(err, errors.New("the cluster is another installation's"))
	}
	r := &checkRun{client: c.cluster.client, writer: c.cluster.client.writers.own, in: &in, of: of}
	if err := r.parse(); err != nil {
		return CheckResult{}, err
	}
	if in.Accounts != nil {
		var err error
		if r.writer, err = c.cluster.client.writers.as(account{in.Namespace, in.Accounts.Name}); err != nil {
			return CheckResult{}, err
		}
	}
	if !c.take(ctx, r.object(r.job)) {
		return CheckResult{}, fmt.Errorf("%s runs already", r.object(r.job))
	}
	defer c.running.Delete(r.object(r.job))
	within, cancel := context.WithTimeout(ctx, of.Deadline+checkSpare)
	defer cancel()
	uid, err := r.begin(within)
	if err != nil {
		return CheckResult{}, err
	}
	result, err := r.await(within, uid)
	if err != nil {
		if within.Err() != nil { // where ctx has ended nothing is deleted, as the next daemon waits for the Job
			_ = r.writer.deleteCheck(ctx, r.object(r.job), uid)
		}
		return CheckResult{}, err
	}
	// One that cannot be deleted now is found by its label later, or goes by itself.
	_ = r.writer.deleteCheck(ctx, r.object(r.job), uid)
	return result, nil
}

// take waits until nobody else waits for a Job, as one that ran for a question that nobody asks any more.
func (c *checks) take(ctx context.Context, o Object) bool {
	for {
		if _, runs := c.running.LoadOrStore(o, true); !runs {
			return true
		}
		if !pause(ctx, checkPoll) {
			return false
		}
	}
}

// parse reads the manifest, which is one Job with its ConfigMaps and image pull secrets in the namespace of the instance.
func (r *checkRun) parse() error {
	for document := range bytes.SplitSeq(r.of.Manifest, []byte("\n---\n")) {
		u := &unstructured.Unstructured{}
		raw, err := yaml.YAMLToJSON(document)
		if err == nil {
			err = u.UnmarshalJSON(raw)
		}
		if err != nil {
			return fmt.Errorf("read the Job of a check: %w", err)
		}
		labelled := u.GetLabels()[state.LabelCheck] != "" && u.GetLabels()[state.LabelManagedBy] == ""
		inside := u.GetNamespace() != "" && u.GetNamespace() == r.in.Namespace
		switch gvk := u.GroupVersionKind(); {
		case !labelled || !inside:
			return fmt.Errorf("the %s %s of a check has to be in namespace %s, with the label %s", u.GetKind(), u.GetName(), r.in.Namespace, state.LabelCheck)
		case gvk == jobs.gvk && r.job == nil:
			r.job = u
		case gvk == configMaps.gvk:
			r.beside = append(r.beside, u)
		case gvk == secrets.gvk && u.GetAnnotations()[state.AnnotationPullSecret] != "":
			r.pulls = append(r.pulls, u)
		default:
			return fmt.Errorf("a check is one Job with ConfigMaps, not %s %s", u.GetKind(), u.GetName())
		}
	}
	if r.job == nil {
		return errors.New("a check has no Job")
	}
	return nil
}

func (r *checkRun) object(u *unstructured.Unstructured) Object {
	gvk := u.GroupVersionKind()
	return Object{Group: gvk.Group, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName()}
}

// begin has the Job run, and returns its UID.
func (r *checkRun) begin(ctx context.Context) (types.UID, error) {
	for {
		there, err := r.read(ctx)
		switch {
		case err != nil:
			return "", err
		case there == nil:
			return r.create(ctx)
		case there.Labels[state.LabelCheck] != r.job.GetLabels()[state.LabelCheck]:
			return "", fmt.Errorf("%s is there already, and is no check's; rename it", r.object(r.job))
		case there.DeletionTimestamp == nil && endOf(there) == nil && there.Annotations[digestMark] == r.digest():
			return there.UID, nil
		case there.DeletionTimestamp == nil:
			if err := r.writer.deleteCheck(ctx, r.object(r.job), there.UID); err != nil {
				return "", err
			}
		}
		if !pause(ctx, checkPoll) {
			return "", fmt.Errorf("%s of the time before is still being deleted", r.object(r.job))
		}
	}
}

// create creates the Job, and then its image pull secrets and ConfigMaps, which go with it. A pod of the Job waits for the ConfigMaps, and
// pulls again with the secrets where it was faster than they.
func (r *checkRun) create(ctx context.Context) (types.UID, error) {
	pulls, err := r.opened()
	if err != nil {
		return "", err
	}
	made, err := r.createOne(ctx, jobs, r.bounded())
	if err != nil {
		return "", err
	}
	uid := made.GetUID()
	for n, u := range slices.Concat(pulls, r.beside) {
		k := configMaps
		if n < len(pulls) {
			k = secrets
		}
		u = u.DeepCopy()
		u.SetOwnerReferences([]metav1.OwnerReference{{
			APIVersion: "batch/v1", Kind: "Job", Name: made.GetName(), UID: uid, BlockOwnerDeletion: ptr.To(true),
		}})
		if _, err := r.createOne(ctx, k, u); err != nil {
			return "", errors.Join(err, r.writer.deleteCheck(ctx, r.object(r.job), uid))
		}
	}
	return uid, nil
}

// opened are the image pull secrets with their values, for the requests to the API server alone.
func (r *checkRun) opened() (all []*unstructured.Unstructured, err error) {
	for _, u := range r.pulls {
		d := &desired{manifest: *newManifest(u.DeepCopy())}
		if d.sealed == nil {
			return nil, fmt.Errorf("%s: its values are not sealed; render it anew", d.object)
		}
		content, err := opened(r.in, d, d.content)
		if err != nil {
			return nil, fmt.Errorf("%s: %s%w", d.object, state.Unopened, err)
		}
		all = append(all, &unstructured.Unstructured{Object: content})
	}
	return all, nil
}

// bounded is the Job with its deadline, after which the cluster ends it, and with an end of its own where nobody deletes it.
func (r *checkRun) bounded() *unstructured.Unstructured {
	u := r.job.DeepCopy()
	seconds := int64(r.of.Deadline / time.Second)
	if own, found, _ := unstructured.NestedInt64(u.Object, "spec", "activeDeadlineSeconds"); found {
		seconds = min(seconds, own)
	}
	spec, _, _ := unstructured.NestedMap(u.Object, "spec")
	if spec == nil {
		spec = map[string]any{}
	}
	spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"] = seconds, int64(checkStays/time.Second)
	u.Object["spec"] = spec
	marks := u.GetAnnotations()
	if marks == nil {
		marks = map[string]string{}
	}
	marks[digestMark] = r.digest()
	if a := r.writer.account; a != (account{}) {
		marks[accountMark] = a.name
	}
	u.SetAnnotations(marks)
	return u
}

// digest tells the Job from one of the same name that was made of other files.
func (r *checkRun) digest() string {
	sum := sha256.Sum256(r.of.Manifest)
	return hex.EncodeToString(sum[:])
}

func (r *checkRun) createOne(ctx context.Context, k *kind, u *unstructured.Unstructured) (made *unstructured.Unstructured, err error) {
	err = r.writer.request(ctx, func(ctx context.Context) error {
		made, err = wholeOf(r.writer.dynamic, k, u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{
			FieldManager: manager, FieldValidation: metav1.FieldValidationStrict,
		})
		return err
	})
	if err != nil {
		if body, unread := u.MarshalJSON(); unread == nil {
			err = discreet(r.object(u), body, err)
		}
		return nil, fmt.Errorf("create %s: %w%s", r.object(u), err, remedyOf(err))
	}
	return made, nil
}

// read reads the Job; nil where it does not exist.
func (r *checkRun) read(ctx context.Context) (*batchv1.Job, error) {
	u, err := r.client.readWhole(ctx, jobs, r.object(r.job))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.object(r.job), err)
	}
	var job batchv1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &job); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.object(r.job), err)
	}
	return &job, nil
}

// await waits for the end of the Job. A cluster that does not answer meanwhile is asked again.
func (r *checkRun) await(ctx context.Context, uid types.UID) (CheckResult, error) {
	var last error
	for looks := 0; ; looks++ {
		job, err := r.read(ctx)
		switch last = err; {
		case err != nil:
		case job == nil || job.UID != uid || job.DeletionTimestamp != nil:
			return CheckResult{}, fmt.Errorf("%s was deleted before its end", r.object(r.job))
		default:
			if end := endOf(job); end != nil {
				return r.result(ctx, end), nil
			}
			if looks%10 == 9 {
				r.lookAtPods(ctx)
			}
		}
		if !pause(ctx, checkPoll) {
			return CheckResult{}, errors.Join(fmt.Errorf("%s has not ended within %s", r.object(r.job), r.of.Deadline+checkSpare), last)
		}
	}
}

// endOf is the condition that says how a Job ended; nil: it has not.
func endOf(job *batchv1.Job) *batchv1.JobCondition {
	for i, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// deleteCheck deletes the Job of a check, its pods, and what was made for it. The name is free once all of them are gone.
func (w *objectWriter) deleteCheck(ctx context.Context, o Object, uid types.UID) error {
	err := w.request(ctx, func(ctx context.Context) error {
		return metadataOf(w.metadata, jobs, o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: ptr.To(metav1.DeletePropagationForeground),
		})
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("delete %s: %w%s", o, err, remedyOf(err))
}

// SweepChecks deletes the Jobs of checks beside instances of an environment that RunCheck does not wait for, as where a daemon died while
// one ran. Of in, Environment, State and Lineage are read.
func (c *checks) SweepChecks(ctx context.Context, in Instance) error {
	if foreign, _, err := c.cluster.foreignSignature(ctx, &in); err != nil || foreign != nil {
		return err
	}
	var found *metav1.PartialObjectMetadataList
	err := c.cluster.client.request(ctx, func(ctx context.Context) (err error) {
		found, err = c.cluster.client.metadata.Resource(jobs.resource).List(ctx, metav1.ListOptions{
			LabelSelector: state.LabelCheck + ",!" + state.LabelManagedBy + "," + state.LabelEnvironment + "=" + in.Environment, Limit: mostSwept,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("list the Jobs of checks: %w", err)
	}
	var failed []error
	for _, job := range found.Items {
		o := Object{Group: jobs.gvk.Group, Kind: jobs.gvk.Kind, Namespace: job.Namespace, Name: job.Name}
		if _, runs := c.running.Load(o); runs || job.DeletionTimestamp != nil {
			continue
		}
		writer := c.cluster.client.writers.own
		if name := job.Annotations[accountMark]; name != "" {
			if writer, err = c.cluster.client.writers.as(account{job.Namespace, name}); err != nil {
				failed = append(failed, err)
				continue
			}
		}
		failed = append(failed, writer.deleteCheck(ctx, o, job.UID))
	}
	return errors.Join(failed...)
}

// pause waits for a while, and says whether ctx is still alive then.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
