package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	systemNamespace = "transom-system"
	inventoryData   = "objects"  // the key of an inventory's data: one object a line
	adoptedData     = "adopted"  // those of them that others had made
	releasedData    = "released" // objects that were adopted and let go again
	admittedData    = "admitted" // objects to be adopted, with the digest of the effect that a person approved
)

// inventory is the record of the objects that an instance may have created on a cluster: a ConfigMap whose data holds names and
// nothing else; the last checkpoint is an annotation. It lists an object from before its creation until after its end is
// confirmed, so that a daemon that dies in between leaves no orphan.
//
// It names the latest state that it was written for, as annotations. A daemon that works on an older one, or on a state that
// does not have that commit in its history, prunes nothing that it lists: an object that it does not desire may have been
// brought by a later state, or by another installation's. See Lineage.
type inventory struct {
	version    string
	objects    map[Object]bool
	adopted    map[Object]bool // those that others had made
	released   map[Object]bool // that were adopted, and are not the instance's any more
	admitted   map[Object]string
	checkpoint Checkpoint
	signature  signature
	takeovers  []string // of a fence: the commits whose writes were taken over, oldest first
	fault      string   // why it cannot be read; then nothing may be concluded from it
}

// inventoryName cannot collide: none of the three holds a dot.
func inventoryName(o Owner) string { return o.Environment + "." + o.Team + "." + o.Request }

func inventoryOwner(name string) Owner {
	environment, rest, _ := strings.Cut(name, ".")
	team, request, _ := strings.Cut(rest, ".")
	return Owner{Environment: environment, Team: team, Request: request}
}

// line is the form KIND.GROUP/NAMESPACE/NAME of an object in an inventory.
func (o Object) line() string {
	kind := o.Kind
	if o.Group != "" {
		kind += "." + o.Group
	}
	return kind + "/" + o.Namespace + "/" + o.Name
}

func parseLine(line string) (Object, bool) {
	parts := strings.Split(line, "/")
	if len(parts) != 3 || parts[0] == "" || parts[2] == "" {
		return Object{}, false
	}
	kind, group, _ := strings.Cut(parts[0], ".")
	return Object{Group: group, Kind: kind, Namespace: parts[1], Name: parts[2]}, true
}

func newInventory() *inventory {
	return &inventory{
		objects: map[Object]bool{}, adopted: map[Object]bool{}, released: map[Object]bool{}, admitted: map[Object]string{},
	}
}

// parts are the objects of each kind that an inventory has, by the key of their data.
func (inv *inventory) parts() map[string]map[Object]bool {
	return map[string]map[Object]bool{inventoryData: inv.objects, adoptedData: inv.adopted, releasedData: inv.released}
}

func readInventory(m *v1.ConfigMap) *inventory {
	inv := newInventory()
	inv.version, inv.checkpoint = m.ResourceVersion, readCheckpoint(m.Annotations[soakedAnnotation])
	inv.signature, inv.takeovers = readSignature(m.Annotations), strings.Fields(m.Annotations[takeoversAnnotation])
	inv.admitted = readAdmitted(m.Data[admittedData])
	for name, objects := range inv.parts() {
		for line := range strings.Lines(m.Data[name]) {
			o, ok := parseLine(strings.TrimSuffix(line, "\n"))
			if !ok {
				inv.fault = fmt.Sprintf("the inventory, ConfigMap %s/%s, has the line %q that is not of the form "+
					"KIND.GROUP/NAMESPACE/NAME; mend it", m.Namespace, m.Name, strings.TrimSpace(line))
				return inv
			}
			objects[o] = true
		}
	}
	return inv
}

// write puts the lines of an inventory into its ConfigMap, and says whether that changes it.
func (inv *inventory) write(m *v1.ConfigMap) (changed bool) {
	data := map[string]string{}
	for name, objects := range inv.parts() {
		if text := writeObjects(objects); text != "" {
			data[name] = text
		}
	}
	if text := writeAdmitted(inv.admitted); text != "" {
		data[admittedData] = text
	}
	changed = !maps.Equal(data, m.Data)
	m.Data = data
	return changed
}

func writeObjects(objects map[Object]bool) string {
	lines := make([]string, 0, len(objects))
	for o := range objects {
		lines = append(lines, o.line()+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// record changes which objects an owner's inventory lists. Whoever else writes it at the same time loses nothing:
// each write is bound to the resourceVersion that it was read at. An inventory that lists nothing is removed, unless it is to
// remember a removal.
func (p *pass) record(ctx context.Context, in Instance, change func(*inventory)) error {
	if err := p.fence(ctx); err != nil {
		return err
	}
	o := in.Owner
	absent := p.inventories.get(o) == nil
	for range 10 {
		write := p.updateInventory
		if absent {
			write = p.createInventory
		}
		err := write(ctx, in, change)
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

func (c *Cluster) createInventory(ctx context.Context, in Instance, change func(*inventory)) error {
	o, inv := in.Owner, newInventory()
	if change(inv); len(inv.objects) == 0 {
		return nil
	}
	labels := map[string]string{
		managedByLabel: manager, inventoryLabel: "true",
		environmentLabel: o.Environment, teamLabel: o.Team, requestLabel: o.Request,
	}
	m := &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: inventoryName(o), Namespace: systemNamespace, Labels: labels},
	}
	inv.write(m)
	sign(m, in)
	return c.postFirst(ctx, m)
}

// postFirst creates what may be the first that we write to a cluster: its namespace, too, if that is not there.
func (c *Cluster) postFirst(ctx context.Context, m *v1.ConfigMap) error {
	err := c.postInventory(ctx, m)
	if apierrors.IsNotFound(err) {
		if err := c.createSystemNamespace(ctx); err != nil {
			return err
		}
		err = c.postInventory(ctx, m)
	}
	return err
}

func (c *Cluster) postInventory(ctx context.Context, m *v1.ConfigMap) error {
	return c.ask(ctx, func(ctx context.Context) error {
		created, err := c.core.ConfigMaps(systemNamespace).Create(ctx, m, metav1.CreateOptions{FieldManager: manager})
		if err == nil {
			c.inventories.answered(created)
		}
		return err
	})
}

func (c *Cluster) createSystemNamespace(ctx context.Context) error {
	return c.ask(ctx, func(ctx context.Context) error {
		ns := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: systemNamespace, Labels: map[string]string{managedByLabel: manager},
		}}
		_, err := c.core.Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: manager})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}

func (c *Cluster) updateInventory(ctx context.Context, in Instance, change func(*inventory)) error {
	return c.ask(ctx, func(ctx context.Context) error {
		all := c.core.ConfigMaps(systemNamespace)
		m, err := all.Get(ctx, inventoryName(in.Owner), metav1.GetOptions{})
		if err != nil {
			return err
		}
		inv := readInventory(m)
		if inv.fault != "" {
			return errors.New(inv.fault)
		}
		if known, err := in.continues(ctx, inv.signature); err != nil || !known {
			return cmp.Or(err, errOvertaken)
		}
		change(inv)
		switch {
		case len(inv.objects) == 0 && !in.Recorded:
			only := metav1.Preconditions{UID: &m.UID, ResourceVersion: &m.ResourceVersion}
			err := all.Delete(ctx, m.Name, metav1.DeleteOptions{Preconditions: &only})
			if err == nil {
				c.inventories.drop(key{m.Namespace, m.Name})
			}
			return err
		case !inv.write(m):
			c.inventories.answered(m)
			return nil
		}
		sign(m, in)
		if len(inv.objects) == 0 {
			delete(m.Annotations, soakedAnnotation) // of an earlier removal, perhaps
		}
		updated, err := all.Update(ctx, m, metav1.UpdateOptions{FieldManager: manager})
		if err == nil {
			c.inventories.answered(updated)
		}
		return err
	})
}

// sign names the state that an inventory is written for, unless it names a later one.
func sign(m *v1.ConfigMap, in Instance) {
	if in.State.Sequence <= readState(m.Annotations[stateAnnotation]).Sequence && !in.bound() {
		return
	}
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	in.signature().put(m.Annotations)
}

// put writes a signature into the annotations of an inventory.
func (s signature) put(annotations map[string]string) {
	annotations[stateAnnotation] = s.String()
	if s.identity != "" {
		annotations[identityAnnotation] = s.identity
	}
}

func readSignature(annotations map[string]string) signature {
	return signature{State: readState(annotations[stateAnnotation]), identity: annotations[identityAnnotation]}
}

// claim has an owner's inventory name the state that a pass works on before it deletes something that the inventory goes
// on listing. It returns the later state that the inventory names, if it does: then that pass must delete nothing.
func (c *Cluster) claim(ctx context.Context, in Instance) (later State, err error) {
	if in.State.Sequence == 0 {
		return State{}, nil
	}
	err = c.ask(ctx, func(ctx context.Context) error {
		all := c.core.ConfigMaps(systemNamespace)
		m, err := all.Get(ctx, inventoryName(in.Owner), metav1.GetOptions{})
		if err != nil {
			return err
		}
		named := readSignature(m.Annotations)
		if known, err := in.continues(ctx, named); err != nil || !known {
			return cmp.Or(err, errOvertaken)
		}
		if named.outranks(in.State) {
			later = named.State
		}
		if named.Sequence >= in.State.Sequence {
			return nil
		}
		sign(m, in)
		m, err = all.Update(ctx, m, metav1.UpdateOptions{FieldManager: manager})
		if err == nil {
			c.inventories.answered(m)
		}
		return err
	})
	if err != nil {
		return State{}, fmt.Errorf("claim the inventory of %s: %w", in.Owner, err)
	}
	return later, nil
}

// latest is the signature of an owner's inventory at this moment; zero without an inventory.
func (c *Cluster) latest(ctx context.Context, o Owner) (signature, error) {
	var named signature
	err := c.ask(ctx, func(ctx context.Context) error {
		m, err := c.core.ConfigMaps(systemNamespace).Get(ctx, inventoryName(o), metav1.GetOptions{})
		if err == nil {
			named = readSignature(m.Annotations)
		}
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return signature{}, fmt.Errorf("read the inventory of %s: %w", o, err)
	}
	return named, nil
}
