package apply

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/state"
)

// recordRefusal sorts out why a write was refused: a cluster that cannot be asked now is an error, a refusal that time mends is
// tried again by a later visit, and all else is a person's to mend.
func (t *target) recordRefusal(d *desired, err error) error {
	if !answered(err) {
		return &objectError{d, err}
	}
	d.again = true
	switch {
	case apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		d.status = progressing(d, "its namespace is being deleted")
	case apierrors.IsConflict(err):
		d.status = progressing(d, "somebody else wrote it at the same time")
	case t.awaitsRights(err):
		d.status = progressing(d, "the rights of the ServiceAccount that writes it were only just given")
	case apierrors.IsNotFound(err):
		d.status = progressing(d, "the cluster serves neither its kind nor its namespace yet")
	default:
		d.fault = refusal(d, err)
		d.refused, d.refusedFor = t.causeOf(d, err)
	}
	return nil
}

// progressing is the status of an object that a later visit will write.
func progressing(d *desired, message string) ObjectStatus {
	return ObjectStatus{Object: d.object, Health: state.Progressing, Message: message}
}

// refusal is the API server's answer, for a person.
func refusal(d *desired, err error) string {
	if errors.Is(err, errNoAccount) {
		return err.Error()
	}
	field, cause := immutable(statusOf(err))
	if d.live == nil || field == "" {
		return state.Refused + answerText(d, err)
	}
	remedy := "give the object a new name, or publish a version that leaves the field as it was"
	if !d.precious() && !d.adopts {
		remedy = "give the object a new name, publish a version that leaves the field as it was, or annotate it " +
			state.AnnotationReplace + `: "true" to have it deleted and made anew`
	}
	return fmt.Sprintf("%s cannot be changed once the object exists (%s). Nothing was deleted: %s", field, cause, remedy)
}

// answerText is the message of the API server's answer. Of a Secret it has nothing that could have a value.
func answerText(d *desired, err error) string {
	status := statusOf(err)
	if d.object.Group == "" && d.object.Kind == "Secret" {
		fields := slices.Compact(slices.Sorted(causedFields(status)))
		return strings.TrimSuffix(fmt.Sprintf("%s %s", status.Reason, strings.Join(fields, ", ")), " ") + remedyOf(err)
	}
	return status.Message + remedyOf(err)
}

// statusOf is the API server's answer; of another error it is the text.
func statusOf(err error) metav1.Status {
	var s apierrors.APIStatus
	if errors.As(err, &s) {
		return s.Status()
	}
	return metav1.Status{Message: err.Error()}
}

// causedFields are the fields that an answer names as its causes.
func causedFields(status metav1.Status) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if status.Details == nil {
			return
		}
		for _, cause := range status.Details.Causes {
			if !yield(cause.Field) {
				return
			}
		}
	}
}

var (
	// unchangeable are the words in which API servers, CEL rules and webhooks refuse the change of a field. The
	// status does not tell such a refusal from others.
	unchangeable = regexp.MustCompile(`immutable|may not (be )?change|cannot (be )?change|` +
		`(updates|changes) to .*(is|are) (forbidden|not allowed)`)

	// invalidValue is how the API server repeats the value that it refuses before it says why.
	invalidValue = regexp.MustCompile(`(?s)^Invalid value: .*: ([^:]*)$`)
)

// immutable finds the field that may not change, and why, in the API server's answer.
func immutable(status metav1.Status) (field, cause string) {
	if status.Reason == metav1.StatusReasonInvalid && status.Details != nil {
		for _, c := range status.Details.Causes {
			if unchangeable.MatchString(c.Message) {
				return c.Field, strings.TrimPrefix(invalidValue.ReplaceAllString(c.Message, "$1"), "Forbidden: ")
			}
		}
	}
	return "", ""
}
