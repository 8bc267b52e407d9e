package apply

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ending is what is known of an object that is being deleted.
type ending struct {
	since      time.Time // by the API server's clock
	finalizers []string
}

func endingOf(m metav1.Object) *ending {
	if m.GetDeletionTimestamp() == nil {
		return nil
	}
	return &ending{since: m.GetDeletionTimestamp().Time, finalizers: m.GetFinalizers()}
}

// The deletion of an object is nothing to be told of for a while. It begins in the future for a pod that has time to end in, and further
// away than that where the API server's clock is ahead of ours.
const (
	hanging     = 10 * time.Second
	longestPart = 10 * time.Minute
)

// hangs says why an object is still there, if it is for too long; empty for one that is not being deleted.
func (e *ending) hangs(now time.Time) string {
	if e == nil {
		return ""
	}
	if since := now.Sub(e.since); since < hanging && since > -longestPart {
		return ""
	}
	text := "it has been Terminating since " + e.since.UTC().Format(time.RFC3339)
	if len(e.finalizers) == 0 {
		return text
	}
	return fmt.Sprintf("%s, because of finalizers: %s. The controllers that set them have to let it go; where there is none any more, "+
		"a person removes them with kubectl edit", text, strings.Join(e.finalizers, ", "))
}
