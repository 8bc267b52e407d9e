package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unique"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Checkpoint is all that an inventory remembers of a revision on its cluster, beside its objects.
type Checkpoint struct {
	Revision string        `json:"revision"`
	Soaked   time.Duration `json:"soaked"`           // for so long it was observed to be healthy
	Checks   string        `json:"checks,omitempty"` // the answers to checks, in the form of whoever asked
}

// maxChecks bounds the bytes of answers. The API server allows 256 KiB for all annotations of an object.
const maxChecks = 64 << 10

// Removed stands for the revision of an Absent instance, once nothing of it remains.
const Removed = "removed"

// annotations is the form of a checkpoint in an inventory: REVISION DURATION, and the answers. A nil one is to be removed.
func (c Checkpoint) annotations() map[string]any {
	form := map[string]any{soakedAnnotation: c.Revision + " " + c.Soaked.String(), checksAnnotation: nil}
	if c.Checks != "" && len(c.Checks) <= maxChecks {
		form[checksAnnotation] = c.Checks
	}
	return form
}

// readCheckpoint is the zero Checkpoint for annotations that are not of the form: a time that cannot be read was not observed.
func readCheckpoint(annotations map[string]string) Checkpoint {
	revision, duration, _ := strings.Cut(annotations[soakedAnnotation], " ")
	soaked, err := time.ParseDuration(duration)
	if err != nil || revision == "" || soaked < 0 {
		return Checkpoint{}
	}
	return Checkpoint{Revision: unique.Make(revision).Value(), Soaked: soaked, Checks: annotations[checksAnnotation]}
}

// Checkpoint writes a checkpoint to the owner's inventory, instead of the one before. An owner without an inventory
// has nothing that could soak, and one on a cluster that somebody else writes to is not ours: then nothing is written. Of in,
// Owner, State and Lineage are read. It tells nobody through OnEvent.
func (c *Cluster) Checkpoint(ctx context.Context, in Instance, checkpoint Checkpoint) error {
	o := in.Owner
	if foreign, _, err := c.foreignSignature(ctx, &in); err != nil || foreign != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": checkpoint.annotations()},
	})
	if err != nil {
		return fmt.Errorf("encode the checkpoint of %s: %w", o, err)
	}
	err = c.client.request(ctx, func(ctx context.Context) error {
		written, err := c.client.core.ConfigMaps(systemNamespace).Patch(ctx, inventoryName(o), types.MergePatchType, body,
			metav1.PatchOptions{FieldManager: manager})
		if err == nil {
			c.inventories.putAnswer(written)
		}
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write the checkpoint of %s: %w", o, err)
	}
	return nil
}
