package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unique"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/render/platform"
)

const (
	systemNamespace = "transom-system"
	inventoryData   = "objects"  // the key of an inventory's data: one object a line
	adoptedData     = "adopted"  // those of them that others had made
	releasedData    = "released" // objects that were adopted and let go again
	admittedData    = "admitted" // objects to be adopted, with the digest of the effect that a person approved
)

// inventory is the record of the objects that an instance may have created on a cluster: a ConfigMap whose data has names and
// nothing else; the last checkpoint is an annotation. It lists an object from before its creation until after its end is
// confirmed, so that a daemon that dies in between leaves no orphan.
//
// It names the latest state that it was written for, as annotations. A daemon that works on an older one, or on a state that
// does not have that commit in its history, prunes nothing that it lists: an object that it does not desire may have been
// brought by a later state, or by another installation's. See Lineage.
type inventory struct {
	uid        types.UID
	version    string
	objects    map[Object]bool
	adopted    map[Object]bool // those that others had made
	released   map[Object]bool // that were adopted, and are not the instance's any more
	admitted   map[Object]string
	checkpoint Checkpoint
	signature  signature
	scope      platform.Scope // of the version that was applied last, if that was cluster-scoped
	takeovers  []string       // of a fence: the commits whose writes were taken over, oldest first
	fault      string         // why it cannot be read; then nothing may be concluded from it
}

// inventoryName cannot collide: none of the three has a dot.
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

// parseLine is the object that a line names; false for another form.
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

// parts are the lists of an inventory, by the key of their data.
func (inv *inventory) parts() map[string]*map[Object]bool {
	return map[string]*map[Object]bool{inventoryData: &inv.objects, adoptedData: &inv.adopted, releasedData: &inv.released}
}

// readInventory reads an inventory whose lists may be changed.
func readInventory(m *v1.ConfigMap) *inventory { return readInventoryWith(m, readObjects) }

// readInventoryWith reads an inventory with a function that reads its lists.
func readInventoryWith(m *v1.ConfigMap, list func(string) (map[Object]bool, error)) *inventory {
	inv := &inventory{uid: m.UID, version: m.ResourceVersion, checkpoint: readCheckpoint(m.Annotations)}
	inv.signature, inv.takeovers = readSignature(m.Annotations), strings.Fields(m.Annotations[takeoversAnnotation])
	inv.scope = platform.Scope(m.Annotations[scopeAnnotation])
	inv.admitted = readAdmitted(m.Data[admittedData])
	for name, to := range inv.parts() {
		objects, err := list(m.Data[name])
		if *to = objects; err != nil {
			inv.fault = fmt.Sprintf("the inventory, ConfigMap %s/%s, %v; mend it", m.Namespace, m.Name, err)
		}
	}
	return inv
}

// readObjects reads a list of objects, one a line.
func readObjects(text string) (map[Object]bool, error) {
	objects := map[Object]bool{}
	for line := range strings.Lines(text) {
		o, ok := parseLine(strings.TrimSuffix(line, "\n"))
		if !ok {
			return objects, fmt.Errorf("has the line %q that is not of the form KIND.GROUP/NAMESPACE/NAME", strings.TrimSpace(line))
		}
		objects[o] = true
	}
	return objects, nil
}

// write puts the lines of an inventory into its ConfigMap, and says whether that changes it.
func (inv *inventory) write(m *v1.ConfigMap) (changed bool) {
	data := map[string]string{}
	for name, objects := range inv.parts() {
		if text := writeObjects(*objects); text != "" {
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

// sign names the state that an inventory is written for, unless it names a later one, and the scope of its version.
func sign(m *v1.ConfigMap, in *Instance) {
	switch {
	case in.Absent: // whose objects are still those of the version before
	case in.Scope == platform.ClusterScoped:
		metav1.SetMetaDataAnnotation(&m.ObjectMeta, scopeAnnotation, string(in.Scope))
	default:
		delete(m.Annotations, scopeAnnotation)
	}
	if in.State.Sequence <= readState(m.Annotations[stateAnnotation]).Sequence && !in.hasLineage() {
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
	named := signature{State: readState(annotations[stateAnnotation]), identity: unique.Make(annotations[identityAnnotation]).Value()}
	named.Commit = unique.Make(named.Commit).Value()
	return named
}
