package apply

import (
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// An object with data outlives its request. It is let go with the removal, so that it stands in nobody's way, and names
// the request and the offering that it was of in annotations: the same request of the same offering takes it back, and anybody
// else adopts it.
const (
	keptFromAnnotation = "transom.dev/kept-from" // TEAM/REQUEST@COMMIT, of the state that does not desire it any more
	keptOfAnnotation   = "transom.dev/kept-of"   // ENVIRONMENT/OFFERING
	keptOnAnnotation   = "transom.dev/kept-on"   // RFC 3339

	keepingManager = "transom-kept" // of these annotations
)

// kept is the instance that an object was of, as its annotations name it.
type kept struct {
	owner    Owner
	offering string
	on       string // a date; empty: not known
}

// readKept is nil for an object that was never kept.
func readKept(annotations map[string]string) *kept {
	from, of := annotations[keptFromAnnotation], annotations[keptOfAnnotation]
	if from == "" {
		return nil
	}
	k := &kept{}
	from, _, _ = strings.Cut(from, "@")
	k.owner.Team, k.owner.Request, _ = strings.Cut(from, "/")
	k.owner.Environment, k.offering, _ = strings.Cut(of, "/")
	k.on, _, _ = strings.Cut(annotations[keptOnAnnotation], "T")
	return k
}

// String names the request, such as "orders-db of team payments, on 2026-11-28".
func (k *kept) String() string {
	text := k.owner.Request + " of team " + k.owner.Team
	if k.on != "" {
		text += ", on " + k.on
	}
	return text
}

// keepMarked lets an object go that stays because it has data, or because its offering retains it.
func (p *pruning) keepMarked(ctx context.Context, k *kind, o Object, l *live, reason string) (outcome, string, error) {
	if p.in.External || l.deleting {
		return letGo, reason, nil
	}
	if err := p.fence.ensure(ctx); err != nil {
		return pending, "", err
	}
	from := p.in.Team + "/" + p.in.Request
	if p.in.State.Commit != "" {
		from += "@" + p.in.State.Commit
	}
	return p.letGo(ctx, k, o, l, reason, map[string]string{
		keptFromAnnotation: from,
		keptOfAnnotation:   p.in.Environment + "/" + l.offering,
		keptOnAnnotation:   time.Now().UTC().Format(time.RFC3339),
	})
}

// resumes tells of data that an instance starts on.
func (k *kept) resumes() string {
	on := k.on
	if on == "" {
		on = "a day that is not known"
	}
	return "starts on the data kept on " + on
}

// removeKeptMark removes the annotations of kept from an object, once it is an instance's again.
func (o fieldOwnership) removeKeptMark(ctx context.Context, d *desired) error {
	if d.live == nil || d.live.kept == nil {
		return nil
	}
	if err := o.patchAs(ctx, d, keepingManager, types.MergePatchType, map[string]any{"metadata": map[string]any{
		"uid": d.live.uid(), "annotations": map[string]any{keptFromAnnotation: nil, keptOfAnnotation: nil, keptOnAnnotation: nil},
	}}); err != nil {
		return err
	}
	d.putAnswer(d.live)
	return nil
}

// lists says whether an inventory may list something.
func (inv *inventory) lists() bool {
	if inv == nil {
		return false
	}
	return len(inv.objects) > 0 || inv.fault != ""
}
