package apply

import "time"

// Uncovered is uncovered over a field set in JSON, for tests; empty if all is covered.
func Uncovered(set, object map[string]any) string { return uncovered(set, object).String() }

// Relist has a watch that knows one object at a version take a list as it was at another, and returns the version at
// which it knows the object then; empty if it does not.
func Relist(known string, list map[string]string, asOf string) string {
	w := &objectWatch{
		changed: func(Owner) {}, objects: map[key]*live{{name: "web"}: {version: known}}, lost: map[key]time.Time{},
	}
	all := map[key]any{}
	for name, version := range list {
		all[key{name: name}] = &live{version: version}
	}
	w.replace(all, asOf)
	if l := w.objects[key{name: "web"}]; l != nil {
		return l.version
	}
	return ""
}

// Impatient has a Cluster wait for so long only before it deletes a pod that never started. It is called before any pass.
func (c *Cluster) Impatient(wait time.Duration) { c.unstartedFor = wait }

// NoteDeletion is noteDeletion.
var NoteDeletion = noteDeletion
