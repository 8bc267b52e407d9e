package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Checkpoint is for how long a revision was observed to be healthy on a cluster, as far as its inventory remembers.
type Checkpoint struct {
	Revision string        `json:"revision"`
	Soaked   time.Duration `json:"soaked"`
}

// Removed stands for the revision of an Absent instance, once nothing of it is left.
const Removed = "removed"

// String is the form of the annotation: REVISION DURATION.
func (c Checkpoint) String() string { return c.Revision + " " + c.Soaked.String() }

// readCheckpoint is the zero Checkpoint for a text that is not of the form: a time that cannot be read was not observed.
func readCheckpoint(text string) Checkpoint {
	revision, duration, _ := strings.Cut(text, " ")
	soaked, err := time.ParseDuration(duration)
	if err != nil || revision == "" || soaked < 0 {
		return Checkpoint{}
	}
	return Checkpoint{Revision: revision, Soaked: soaked}
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
		"metadata": map[string]any{"annotations": map[string]string{soakedAnnotation: checkpoint.String()}},
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
