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

	"transom.dev/render/state"
)

// An environment's fence on a cluster is a ConfigMap beside the inventories, named as the environment, that lists nothing:
// it names the state commit that anything of the environment was last written for. A visit writes it before it writes
// anything else for another commit, bound to the resourceVersion that it was compared at, so that of two daemons whose states
// differ one is first, and the other one finds out. At rest it is never written.

const takeoversKept = 10

// fenceKey is where an environment's fence is.
func fenceKey(environment string) key { return key{systemNamespace, environment} }

// fence is an environment's fence on a cluster, for a visit of one of its instances.
type fence struct {
	cluster *Cluster
	client  *client
	in      *Instance
}

// ensure has the environment's fence name the state commit that the visit works on.
func (f *fence) ensure(ctx context.Context) error {
	if !f.in.hasLineage() || f.isCurrent() {
		return nil
	}
	defer f.cluster.fences.lock(ctx, f.in.Environment)()
	for range 10 {
		if f.isCurrent() {
			return nil
		}
		foreign, _, err := f.cluster.foreignSignature(ctx, f.in)
		if err != nil {
			return err
		}
		if foreign != nil {
			return errOvertaken
		}
		if err := f.write(ctx, nil); err != nil {
			return err
		}
	}
	return fmt.Errorf("write ConfigMap %s/%s: others keep changing it", systemNamespace, f.in.Environment)
}

// isCurrent says whether the fence names the visit's state already.
func (f *fence) isCurrent() bool {
	fence := f.cluster.inventories.fence(f.in.Environment)
	return fence != nil && fence.signature.Commit == f.in.State.Commit
}

// ensureAnew is ensure for writes that cannot be taken back: the fence is read anew.
func (f *fence) ensureAnew(ctx context.Context) error {
	if !f.in.hasLineage() {
		return nil
	}
	if err := f.read(ctx); err != nil {
		return err
	}
	return f.ensure(ctx)
}

// write writes the fence as it was last seen, and reads it if that is not how it is. Commits that were taken over are added.
func (f *fence) write(ctx context.Context, taken []string) error {
	fence := f.cluster.inventories.fence(f.in.Environment)
	write := f.patch
	if fence == nil {
		write = f.create
	}
	f.cluster.inventories.expectSignature(f.in.Environment, f.in.signature())
	err := write(ctx, fence, taken)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return f.read(ctx)
	}
	if err != nil {
		return fmt.Errorf("write ConfigMap %s/%s: %w", systemNamespace, f.in.Environment, err)
	}
	return nil
}

func (f *fence) create(ctx context.Context, _ *inventory, taken []string) error {
	m := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: f.in.Environment, Namespace: systemNamespace,
		Labels:      map[string]string{state.LabelManagedBy: manager, inventoryLabel: "environment", state.LabelEnvironment: f.in.Environment},
		Annotations: f.annotations(nil, taken),
	}}
	return f.cluster.inventories.createFirst(ctx, m)
}

func (f *fence) patch(ctx context.Context, fence *inventory, taken []string) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": fence.version, "annotations": f.annotations(fence.takeovers, taken),
	}})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return f.client.request(ctx, func(ctx context.Context) error {
		written, err := f.client.core.ConfigMaps(systemNamespace).Patch(ctx, f.in.Environment, types.MergePatchType, body,
			metav1.PatchOptions{FieldManager: manager})
		if err == nil {
			f.cluster.inventories.putAnswer(written)
		}
		return err
	})
}

// annotations sign the fence, and list the last commits whose writes were taken over.
func (f *fence) annotations(before, taken []string) map[string]string {
	annotations := map[string]string{}
	f.in.signature().put(annotations)
	if all := append(slices.Clone(before), taken...); len(all) > 0 {
		annotations[takeoversAnnotation] = strings.Join(all[max(0, len(all)-takeoversKept):], " ")
	}
	return annotations
}

// read learns how the fence is at this moment.
func (f *fence) read(ctx context.Context) error {
	err := f.client.request(ctx, func(ctx context.Context) error {
		m, err := f.client.core.ConfigMaps(systemNamespace).Get(ctx, f.in.Environment, metav1.GetOptions{})
		if err == nil {
			f.cluster.inventories.putAnswer(m)
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		f.cluster.inventories.drop(fenceKey(f.in.Environment))
		return nil
	}
	if err != nil {
		return fmt.Errorf("read ConfigMap %s/%s: %w", systemNamespace, f.in.Environment, err)
	}
	return nil
}

// takeOver signs the inventories that others wrote of the environment as this state's: the fence, which decides, comes last, so
// that a takeover that is interrupted goes on.
func (f *fence) takeOver(ctx context.Context, from signature) error {
	defer f.cluster.fences.lock(ctx, f.in.Environment)()
	foreign, _, err := f.cluster.foreignSignature(ctx, f.in)
	if err != nil || foreign == nil {
		return err // another visit was faster
	}
	for _, o := range f.cluster.inventories.earliest(f.in.Environment) {
		if err := f.resign(ctx, o, from); err != nil {
			return fmt.Errorf("take over the inventory of %s: %w", o, err)
		}
	}
	if err := f.write(ctx, []string{from.Commit}); err != nil {
		return err
	}
	if foreign, _, err = f.cluster.foreignSignature(ctx, f.in); err == nil && foreign != nil {
		err = errOvertaken
	}
	return err
}

// resign signs an inventory that is no later than the one that a person let go.
func (f *fence) resign(ctx context.Context, o Owner, from signature) error {
	inv := f.cluster.inventories.get(o)
	if inv == nil {
		return nil
	}
	if known, err := f.in.continues(ctx, inv.signature); err != nil || known {
		return err
	}
	err := f.cluster.inventories.change(ctx, o, func(ctx context.Context, m *v1.ConfigMap) (bool, error) {
		named := readSignature(m.Annotations)
		known, err := f.in.continues(ctx, named)
		if err != nil || known {
			return false, err
		}
		if named.Sequence > from.Sequence {
			return false, errOvertaken
		}
		if m.Annotations == nil {
			m.Annotations = map[string]string{}
		}
		f.in.signature().put(m.Annotations)
		return true, nil
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// takeovers are the commits whose writes on this cluster were taken over before.
func (f *fence) takeovers() []string {
	if fence := f.cluster.inventories.fence(f.in.Environment); fence != nil {
		return fence.takeovers
	}
	return nil
}
