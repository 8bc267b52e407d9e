package apply

import (
	"fmt"

	"transom.dev/render/platform"
)

// readTold reads the values that the objects have for the outputs of the instance, from the watches that health is assessed by.
func readTold(in Instance, objects []*desired) map[string]Told {
	if len(in.Observes) == 0 || in.Absent {
		return nil
	}
	told := map[string]Told{}
	for _, o := range in.Observes {
		if said, known := readOutput(o, objects); known {
			told[o.Name] = said
		}
	}
	return told
}

// readOutput reads the value of one output, if the one object of its kind is known to be as it is desired.
func readOutput(o platform.ObservedOutput, objects []*desired) (said Told, known bool) {
	var of *desired
	n := 0
	for _, d := range objects {
		if d.object.Group == o.Group && d.object.Kind == o.Kind {
			of = d
			n++
		}
	}
	switch {
	case n != 1:
		return Told{Fault: fmt.Sprintf("the revision has %d objects of the kind %s and not one", n, o.Of())}, true
	case of.live == nil, of.live.deleting, !of.isAtRevision(), !of.live.seen(), of.live.body == nil:
		return Told{}, false
	}
	said.Value, said.Fault = o.Read(of.live.body)
	return said, true
}
