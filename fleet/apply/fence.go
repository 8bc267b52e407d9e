package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// An environment's fence on a cluster is a ConfigMap beside the inventories, named as the environment, that lists nothing:
// it names the state commit that anything of the environment was last written for. A pass writes it before it writes
// anything else for another commit, bound to the resourceVersion that it was judged at, so that of two daemons whose states
// differ one is first, and the other one finds out. At rest it is never written.

const takeoversKept = 10

// fenceKey is where an environment's fence is.
func fenceKey(environment string) key { return key{systemNamespace, environment} }

// fence has the environment's fence name the state commit that the pass works on.
func (p *pass) fence(ctx context.Context) error {
	if !p.in.bound() || p.fenced() {
		return nil
	}
	defer p.fences.lock(p.in.Environment)()
	for range 10 {
		if p.fenced() {
			return nil
		}
		strange, _, err := p.strange(ctx, p.in)
		if err != nil {
			return err
		}
		if strange != nil {
			return errOvertaken
		}
		if err := p.raise(ctx, nil); err != nil {
			return err
		}
	}
	return fmt.Errorf("write ConfigMap %s/%s: others keep changing it", systemNamespace, p.in.Environment)
}

// fenced says whether the fence names the pass's state already.
func (p *pass) fenced() bool {
	fence := p.inventories.fence(p.in.Environment)
	return fence != nil && fence.signature.Commit == p.in.State.Commit
}

// refence is fence for writes that cannot be taken back: the fence is read anew.
func (p *pass) refence(ctx context.Context) error {
	if !p.in.bound() {
		return nil
	}
	if err := p.readFence(ctx); err != nil {
		return err
	}
	return p.fence(ctx)
}

// raise writes the fence as it was last seen, and reads it if that is not how it is. Commits that were taken over are added.
func (p *pass) raise(ctx context.Context, taken []string) error {
	fence := p.inventories.fence(p.in.Environment)
	write := p.patchFence
	if fence == nil {
		write = p.createFence
	}
	p.inventories.expect(p.in.Environment, p.in.signature())
	err := write(ctx, fence, taken)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return p.readFence(ctx)
	}
	if err != nil {
		return fmt.Errorf("write ConfigMap %s/%s: %w", systemNamespace, p.in.Environment, err)
	}
	return nil
}

func (p *pass) createFence(ctx context.Context, _ *inventory, taken []string) error {
	m := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: p.in.Environment, Namespace: systemNamespace,
		Labels:      map[string]string{managedByLabel: manager, inventoryLabel: "environment", environmentLabel: p.in.Environment},
		Annotations: p.annotations(nil, taken),
	}}
	return p.postFirst(ctx, m)
}

func (p *pass) patchFence(ctx context.Context, fence *inventory, taken []string) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": fence.version, "annotations": p.annotations(fence.takeovers, taken),
	}})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return p.ask(ctx, func(ctx context.Context) error {
		written, err := p.core.ConfigMaps(systemNamespace).Patch(ctx, p.in.Environment, types.MergePatchType, body,
			metav1.PatchOptions{FieldManager: manager})
		if err == nil {
			p.inventories.answered(written)
		}
		return err
	})
}

func (p *pass) annotations(before, taken []string) map[string]string {
	annotations := map[string]string{}
	p.in.signature().put(annotations)
	if all := append(slices.Clone(before), taken...); len(all) > 0 {
		annotations[takeoversAnnotation] = strings.Join(all[max(0, len(all)-takeoversKept):], " ")
	}
	return annotations
}

// readFence learns how the fence is at this moment.
func (p *pass) readFence(ctx context.Context) error {
	err := p.ask(ctx, func(ctx context.Context) error {
		m, err := p.core.ConfigMaps(systemNamespace).Get(ctx, p.in.Environment, metav1.GetOptions{})
		if err == nil {
			p.inventories.answered(m)
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		p.inventories.drop(fenceKey(p.in.Environment))
		return nil
	}
	if err != nil {
		return fmt.Errorf("read ConfigMap %s/%s: %w", systemNamespace, p.in.Environment, err)
	}
	return nil
}

// takeOver signs the inventories that others wrote of the environment as this state's: the fence, which decides, comes last, so
// that a takeover that is interrupted goes on.
func (p *pass) takeOver(ctx context.Context, from signature) error {
	defer p.fences.lock(p.in.Environment)()
	strange, _, err := p.strange(ctx, p.in)
	if err != nil || strange == nil {
		return err // another pass was faster
	}
	for _, o := range p.inventories.earliest(p.in.Environment) {
		if err := p.resign(ctx, o, from); err != nil {
			return fmt.Errorf("take over the inventory of %s: %w", o, err)
		}
	}
	if err := p.raise(ctx, []string{from.Commit}); err != nil {
		return err
	}
	if strange, _, err = p.strange(ctx, p.in); err == nil && strange != nil {
		err = errOvertaken
	}
	return err
}

// resign signs an inventory that is no later than the one that a person let go.
func (p *pass) resign(ctx context.Context, o Owner, from signature) error {
	inv := p.inventories.get(o)
	if inv == nil {
		return nil
	}
	if known, err := p.in.continues(ctx, inv.signature); err != nil || known {
		return err
	}
	return p.ask(ctx, func(ctx context.Context) error {
		all := p.core.ConfigMaps(systemNamespace)
		m, err := all.Get(ctx, inventoryName(o), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		named := readSignature(m.Annotations)
		known, err := p.in.continues(ctx, named)
		if err != nil || known {
			return err
		}
		if named.Sequence > from.Sequence {
			return errOvertaken
		}
		if m.Annotations == nil {
			m.Annotations = map[string]string{}
		}
		p.in.signature().put(m.Annotations)
		if m, err = all.Update(ctx, m, metav1.UpdateOptions{FieldManager: manager}); err == nil {
			p.inventories.answered(m)
		}
		return err
	})
}
