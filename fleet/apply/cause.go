package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A Refusal says that nothing but answers of the API server keeps an instance from being as it shall be. Instances with the same
// Cause were refused for the same, so that it is enough to try one of them again.
type Refusal struct {
	Cause   string          // has no name of the instance
	Message string          // of the API server about the first object, without names of the instance
	Objects []RefusedObject // in the order in which they are applied
	Ended   bool            // the visit ended with an error: it is not known how the instance is
}

// A RefusedObject is an object that the API server refused.
type RefusedObject struct {
	Object  Object
	Cause   string
	Message string // for people, with all names
}

// everywhere are the words of the API server for refusals that concern a whole cluster. Any other is about its namespace at most, such
// as that of a quota.
var everywhere = regexp.MustCompile(`ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request|` +
	`^admission webhook "[^"]*" denied the request|failed calling webhook "|etcdserver: `)

// word is a part of a message that may be the name of an object.
var word = regexp.MustCompile(`[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?`)

// unnamed is a message without the instance's own names.
func (in *Instance) unnamed(message, object string) string {
	return word.ReplaceAllStringFunc(message, func(name string) string {
		switch name {
		case object:
			return "<object>"
		case in.Request:
			return "<request>"
		case in.Namespace, in.Team:
			return "<namespace>"
		}
		return name
	})
}

// causeOf names the cause of a refusal: the API server's answer, the kind that it is about and, unless it concerns the whole cluster,
// the namespace.
func (in *Instance) causeOf(o Object, err error, message string) (cause, unnamed string) {
	status, namespace := statusOf(err), o.Namespace
	unnamed = in.unnamed(message, o.Name)
	if everywhere.MatchString(message) {
		namespace = "*"
	}
	return fmt.Sprintf("%d %s %s.%s %s: %s", status.Code, status.Reason, o.Kind, o.Group, namespace, unnamed), unnamed
}

// causeOf names the cause for which an object was refused.
func (t *target) causeOf(d *desired, err error) (cause, unnamed string) {
	return t.in.causeOf(d.object, err, answerText(d, err))
}

// objectError is an error of a request for an object.
type objectError struct {
	d   *desired
	err error
}

func (e *objectError) Error() string { return fmt.Sprintf("%s: %v", e.d.object, e.err) }
func (e *objectError) Unwrap() error { return e.err }

// refusalOf is the refusal that ended a visit; nil where the cluster could not be asked, or nothing is known of why. Only faults
// of the API server that its own words tell apart are refusals: a webhook or its store does not work.
func (t *target) refusalOf(err error) *Refusal {
	var of *objectError
	status := statusOf(err)
	serverFault := status.Code == http.StatusInternalServerError && everywhere.MatchString(status.Message)
	if !serverFault {
		return nil
	}
	r := &Refusal{Ended: true}
	if errors.As(err, &of) {
		r.Cause, r.Message = t.causeOf(of.d, of.err)
		r.Objects = []RefusedObject{{of.d.object, r.Cause, of.Error()}}
	} else {
		r.Cause, r.Message = t.in.causeOf(Object{}, err, status.Message)
	}
	return r
}

// of finds an object among those that were refused.
func (r *Refusal) of(o Object) (RefusedObject, bool) {
	if r == nil {
		return RefusedObject{}, false
	}
	i := slices.IndexFunc(r.Objects, func(one RefusedObject) bool { return one.Object == o })
	if i < 0 {
		return RefusedObject{}, false
	}
	return r.Objects[i], true
}

// leave leaves an object as it is that was refused before and is not to be tried, and says whether it did.
func (t *target) leave(d *desired) bool {
	refused, waits := t.in.Refused.of(d.object)
	if waits && d.fault == "" {
		d.fault, d.again = refused.Message, true
		d.refused, d.refusedFor = refused.Cause, t.in.Refused.Message
	}
	return waits
}

// Try asks the API server, as a dry run and with one request, whether it still refuses the first object of an instance's refusal for
// the same cause. Nothing is written, so that it need not be known whose the object is.
func (c *Cluster) Try(ctx context.Context, in Instance, r *Refusal) (refused bool, err error) {
	t := newTarget(c, in)
	if len(r.Objects) == 0 || !t.readManifests() {
		return false, nil
	}
	first, all := r.Objects[0], t.all()
	i := slices.IndexFunc(all, func(d *desired) bool { return d.object == first.Object })
	if i < 0 {
		return false, nil
	}
	d := all[i]
	if d.kind, err = c.client.kinds.find(ctx, d.gvk); err != nil || d.kind == nil {
		return false, err
	}
	d.watch = c.watches.of(d.kind)
	if err := d.watch.ready(ctx); err != nil {
		return false, err
	}
	d.live = d.watch.get(d.object)
	_, err = t.writerOf(d).patch(ctx, d.kind, d.object, types.ApplyPatchType, t.boundContent(d), forced(metav1.DryRunAll))
	if err == nil {
		return false, nil
	}
	cause, _ := t.causeOf(d, err)
	ended := t.refusalOf(&objectError{d, err}) != nil
	if !answered(err) && !ended {
		return false, fmt.Errorf("try %s: %w", d.object, err)
	}
	return cause == first.Cause, nil
}
