package platform

import (
	"fmt"
	"slices"
	"strings"
)

// maxCycle bounds how many requests of a cycle a message names.
const maxCycle = 20

// An edge is a binding of a request in an environment.
type edge struct {
	environment string
	from        RequestKey
	name        string
}

// findCycles finds the bindings without which nothing would go round in a circle. It looks at each of them once, so
// that no tangle of requests takes longer than their number.
func (b *binder) findCycles() {
	w := &cycleFinder{binder: b, seen: map[edge]int{}}
	for _, request := range b.team.requests {
		key := request.Key
		for env := range b.team.resolved[key].in {
			if w.leadsOn(env, key) {
				w.visit(env, key)
			}
		}
	}
}

// A cycleFinder walks along bindings, from consumers to providers.
type cycleFinder struct {
	*binder
	seen  map[edge]int // by environment and request: where it stands on the chain, or -1 once it is done
	chain []edge       // the way to where it is
}

func (b *binder) bindingsOf(env string, key RequestKey) map[string]RequestKey {
	if r := b.team.resolved[key]; r != nil && r.in[env] != nil && r.in[env].instance != nil {
		return r.in[env].instance.Bindings
	}
	return nil
}

// leadsOn says whether a request that is bound to has bindings itself; else it is in no cycle.
func (b *binder) leadsOn(env string, key RequestKey) bool {
	for _, provider := range b.bindingsOf(env, key) {
		if len(b.bindingsOf(env, provider)) > 0 {
			return true
		}
	}
	return false
}

func (w *cycleFinder) visit(env string, key RequestKey) {
	at := edge{environment: env, from: key}
	if _, seen := w.seen[at]; seen {
		return
	}
	w.seen[at] = len(w.chain)
	bindings := w.bindingsOf(env, key)
	for _, name := range sortedKeys(bindings) {
		w.chain = append(w.chain, edge{env, key, name})
		provider := bindings[name]
		if n, seen := w.seen[edge{environment: env, from: provider}]; seen && n >= 0 {
			w.recordCycle(w.chain[n:])
		} else {
			w.visit(env, provider)
		}
		w.chain = w.chain[:len(w.chain)-1]
	}
	w.seen[at] = -1
}

func (w *cycleFinder) recordCycle(cycle []edge) {
	var through []string
	for _, e := range cycle {
		through = append(through, e.from.String())
	}
	through = append(through, through[0])
	if n := len(through); n > maxCycle {
		through = slices.Concat(through[:maxCycle/2], []string{fmt.Sprintf("… %d more …", n-maxCycle)}, through[n-maxCycle/2:])
	}
	text := strings.Join(through, " → ")
	for _, e := range cycle {
		if w.cycles == nil {
			w.cycles = map[edge]string{}
		}
		w.cycles[e] = text
	}
}
