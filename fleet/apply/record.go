package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// instanceInventory is the inventory of one instance: its contents at the beginning of a visit, and the way to change it.
type instanceInventory struct {
	client *client
	all    *inventoryWatch
	fence  *fence
	in     *Instance

	listed     map[Object]bool
	adopted    map[Object]bool   // those that others had made
	admitted   map[Object]string // effects of an adoption that began
	checkpoint Checkpoint        // of any revision
	scope      platform.Scope    // of the version that was applied last, if that was cluster-scoped
}

// read takes the inventory as the watch knows it, and returns why that cannot be read.
func (i *instanceInventory) read() (fault string) {
	inv := i.all.get(i.in.Owner)
	if inv == nil {
		return ""
	}
	i.listed, i.adopted, i.admitted, i.checkpoint, i.scope = inv.objects, inv.adopted, inv.admitted, inv.checkpoint, inv.scope
	return inv.fault
}

// record changes which objects an owner's inventory lists. Whoever else writes it at the same time loses nothing:
// each write is bound to the resourceVersion that it was read at. An inventory that lists nothing is removed, unless it is to
// remember a removal.
func (i *instanceInventory) record(ctx context.Context, change func(*inventory)) error {
	if err := i.fence.ensure(ctx); err != nil {
		return err
	}
	o := i.in.Owner
	absent := i.all.get(o) == nil
	for range 10 {
		write := i.update
		if absent {
			write = i.create
		}
		err := write(ctx, change)
		switch {
		case err == nil:
			return nil
		case apierrors.IsAlreadyExists(err):
			absent = false
		case apierrors.IsNotFound(err):
			absent = true
		case !apierrors.IsConflict(err):
			return fmt.Errorf("write the inventory of %s: %w", o, err)
		}
	}
	return fmt.Errorf("write the inventory of %s: others keep changing it", o)
}

// create writes the first inventory of the instance, unless it would list nothing.
func (i *instanceInventory) create(ctx context.Context, change func(*inventory)) error {
	o, inv := i.in.Owner, newInventory()
	if change(inv); len(inv.objects) == 0 {
		return nil
	}
	labels := map[string]string{
		state.LabelManagedBy: manager, inventoryLabel: "true",
		state.LabelEnvironment: o.Environment, state.LabelTeam: o.Team, state.LabelRequest: o.Request,
	}
	m := &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: inventoryName(o), Namespace: systemNamespace, Labels: labels},
	}
	inv.write(m)
	sign(m, i.in)
	return i.all.createFirst(ctx, m)
}

// update changes the inventory as it is now, and removes one that lists nothing and has no removal to remember.
func (i *instanceInventory) update(ctx context.Context, change func(*inventory)) error {
	return i.all.change(ctx, i.in.Owner, func(ctx context.Context, m *v1.ConfigMap) (bool, error) {
		inv := readInventory(m)
		if inv.fault != "" {
			return false, errors.New(inv.fault)
		}
		if known, err := i.in.continues(ctx, inv.signature); err != nil || !known {
			return false, cmp.Or(err, errOvertaken)
		}
		change(inv)
		switch {
		case len(inv.objects) == 0 && !i.in.Recorded:
			only := metav1.Preconditions{UID: &m.UID, ResourceVersion: &m.ResourceVersion}
			err := i.client.core.ConfigMaps(m.Namespace).Delete(ctx, m.Name, metav1.DeleteOptions{Preconditions: &only})
			if err == nil {
				i.all.drop(key{m.Namespace, m.Name})
			}
			return false, err
		case !inv.write(m):
			i.all.putAnswer(m)
			return false, nil
		}
		sign(m, i.in)
		if len(inv.objects) == 0 {
			delete(m.Annotations, soakedAnnotation) // of an earlier removal, perhaps
			delete(m.Annotations, checksAnnotation)
		}
		return true, nil
	})
}

// signForState has an owner's inventory name the state that a visit works on before it deletes something that the inventory goes
// on listing. It returns the later state that the inventory names, if it does: then that visit must delete nothing.
func (i *instanceInventory) signForState(ctx context.Context) (later State, err error) {
	if i.in.State.Sequence == 0 {
		return State{}, nil
	}
	err = i.all.change(ctx, i.in.Owner, func(ctx context.Context, m *v1.ConfigMap) (bool, error) {
		named := readSignature(m.Annotations)
		if known, err := i.in.continues(ctx, named); err != nil || !known {
			return false, cmp.Or(err, errOvertaken)
		}
		if named.outranks(i.in.State) {
			later = named.State
		}
		if named.Sequence >= i.in.State.Sequence {
			return false, nil
		}
		sign(m, i.in)
		return true, nil
	})
	if err != nil {
		return State{}, fmt.Errorf("claim the inventory of %s: %w", i.in.Owner, err)
	}
	return later, nil
}

// latest is the signature of an owner's inventory at this moment; zero without an inventory.
func (i *instanceInventory) latest(ctx context.Context) (signature, error) {
	var named signature
	err := i.client.request(ctx, func(ctx context.Context) error {
		m, err := i.client.core.ConfigMaps(systemNamespace).Get(ctx, inventoryName(i.in.Owner), metav1.GetOptions{})
		if err == nil {
			named = readSignature(m.Annotations)
		}
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return signature{}, fmt.Errorf("read the inventory of %s: %w", i.in.Owner, err)
	}
	return named, nil
}

// createFirst creates a ConfigMap that may be our first object on a cluster: also the namespace, if that is not there.
func (w *inventoryWatch) createFirst(ctx context.Context, m *v1.ConfigMap) error {
	err := w.create(ctx, m)
	if apierrors.IsNotFound(err) {
		if err := w.createSystemNamespace(ctx); err != nil {
			return err
		}
		err = w.create(ctx, m)
	}
	return err
}

func (w *inventoryWatch) create(ctx context.Context, m *v1.ConfigMap) error {
	return w.client.request(ctx, func(ctx context.Context) error {
		created, err := w.client.core.ConfigMaps(systemNamespace).Create(ctx, m, metav1.CreateOptions{FieldManager: manager})
		if err == nil {
			w.putAnswer(created)
		}
		return err
	})
}

func (w *inventoryWatch) createSystemNamespace(ctx context.Context) error {
	return w.client.request(ctx, func(ctx context.Context) error {
		ns := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: systemNamespace, Labels: map[string]string{state.LabelManagedBy: manager},
		}}
		_, err := w.client.core.Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: manager})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}

// change reads an owner's inventory, has edit change it, and writes it if edit says so, as one request. The write is bound to the
// resourceVersion that the inventory was read at.
func (w *inventoryWatch) change(ctx context.Context, o Owner, edit func(context.Context, *v1.ConfigMap) (write bool, err error)) error {
	return w.client.request(ctx, func(ctx context.Context) error {
		all := w.client.core.ConfigMaps(systemNamespace)
		m, err := all.Get(ctx, inventoryName(o), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if write, err := edit(ctx, m); err != nil || !write {
			return err
		}
		m, err = all.Update(ctx, m, metav1.UpdateOptions{FieldManager: manager})
		if err == nil {
			w.putAnswer(m)
		}
		return err
	})
}
