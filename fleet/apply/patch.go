package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// patch applies one object with one request. Ours are forced, bound to the UID that ownership was read from; what is
// believed not to be there is not forced, so that an object which somebody makes in this very moment is not taken.
func (p *pass) patch(ctx context.Context, d *desired, reason string) error {
	if err := p.remember(ctx, d); err != nil {
		return err
	}
	content := p.asked(d)
	if d.live != nil {
		content = withUID(content, d.live.uid)
	}
	body, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encode %s: %w", d.object, err)
	}
	exists := d.live != nil
	options := metav1.PatchOptions{FieldManager: manager, Force: &exists, FieldValidation: metav1.FieldValidationStrict}
	var after *live
	err = p.ask(ctx, func(ctx context.Context) error {
		m, err := p.Cluster.objects(d.kind, d.object.Namespace).Patch(ctx, d.object.Name, types.ApplyPatchType, body, options)
		if err == nil {
			after = reduceMeta(d.gvk.GroupKind(), m)
		}
		return err
	})
	if err != nil {
		return p.blame(d, err)
	}
	p.patched(d, after, reason)
	return nil
}

func (p *pass) patched(d *desired, after *live, reason string) {
	before := d.live
	if reason != "" {
		after.claims = before.claims.next(time.Now())
	}
	d.live = d.watch.answered(key{d.object.Namespace, d.object.Name}, after)
	switch {
	case before == nil:
		d.change = &Change{Object: d.object, Action: Created}
	case before.version != after.version:
		d.change = &Change{Object: d.object, Action: Configured, Reason: reason}
	}
}

func withUID(content map[string]any, uid types.UID) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata["uid"] = string(uid)
	content = maps.Clone(content)
	content["metadata"] = metadata
	return content
}
