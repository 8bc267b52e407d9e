package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How many bytes an API server takes as the note of an Event, and as the name of the process that it is from.
const (
	mostNote     = 1024
	mostInstance = 128
)

// ErrNoInventory is the error of a Record about an owner that has no inventory on the cluster.
var ErrNoInventory = errors.New("the instance has no inventory on the cluster")

// News is a change of an instance, in the words of a Kubernetes Event.
type News struct {
	Reason  string // such as Promoted
	Note    string
	Warning bool
}

// Record creates a Kubernetes Event about an owner's inventory, as the daemon itself. The inventory is known from its watch, so
// that one request is made, or none where there is no inventory.
func (c *Cluster) Record(ctx context.Context, o Owner, n News) error {
	inv := c.inventories.get(o)
	if inv == nil {
		return ErrNoInventory
	}
	kind, now := v1.EventTypeNormal, time.Now()
	if n.Warning {
		kind = v1.EventTypeWarning
	}
	host, _ := os.Hostname()
	return c.client.request(ctx, func(ctx context.Context) error {
		_, err := c.client.events.Events(systemNamespace).Create(ctx, &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: fmt.Sprintf("%s.%x", inventoryName(o), now.UnixNano())},
			EventTime:  metav1.NewMicroTime(now), Type: kind, Reason: n.Reason, Action: n.Reason, Note: shortened(n.Note, mostNote),
			ReportingController: "transom.dev/transom", ReportingInstance: shortened(cmp.Or(host, "transom"), mostInstance),
			Regarding: v1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: systemNamespace, Name: inventoryName(o), UID: inv.uid},
		}, metav1.CreateOptions{FieldManager: manager})
		return err
	})
}

// shortened shortens a text to so many bytes.
func shortened(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
	}
	return text
}
