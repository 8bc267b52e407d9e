package apply

import (
	"fmt"

	"transom.dev/render/platform"
)

// readTold reads the values that the objects have for the outputs of the instance, from the watches that health is assessed by.
func (p *pass) readTold() map[string]Told {
	if len(p.in.Observes) == 0 || p.in.Absent {
		return nil
	}
	told := map[string]Told{}
	for _, o := range p.in.Observes {
		if said, known := p.readOutput(o); known {
			told[o.Name] = said
		}
	}
	return told
}

// readOutput reads the value of one output, if the one object of its kind is known to be as it is desired.
func (p *pass) readOutput(o platform.ObservedOutput) (said Told, known bool) {
	var of *desired
	n := 0
	for _, d := range p.objects {
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
