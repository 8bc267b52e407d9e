package apply

import (
	"fmt"
	"sync"
	"time"

	"transom.dev/render/platform"
)

// trialLasts is how long an adoption that waits is told as it was tried, while neither side changes: dry runs cost the API
// server as much as writes do, and many adoptions may wait for days.
const trialLasts = 10 * time.Minute

// trials are the adoptions of a cluster that wait for a person, as they were tried last.
type trials struct {
	mu      sync.Mutex
	waiting map[Owner]trial
}

// A trial is an adoption that waits, with the objects that could not be tried, and why.
type trial struct {
	of       string // all that it depends on
	until    time.Time
	adoption *Adoption
	untried  map[Object]string
}

// trialOf names all that the trial of an adoption depends on, but for the rest of the cluster.
func (r rehearsal) trialOf() string {
	objects := map[string]any{}
	for _, d := range r.all() {
		at := d.digest
		if d.live != nil {
			at += fmt.Sprintf(" %s %s %t", d.live.uid(), d.live.version, d.adopts)
		}
		objects[d.object.line()] = at
	}
	return platform.Digest(map[string]any{
		"objects": objects, "approved": r.in.Approved, "accounts": fmt.Sprintf("%+v", r.in.Accounts), "ignore": fmt.Sprintf("%+v", r.in.Ignore),
		"namespaces": r.in.AdoptNamespaces, "scope": string(r.in.Scope), "onRemoval": string(r.in.OnRemoval),
	})
}

// known says whether an adoption is told as it was tried before.
func (r rehearsal) known(of string) bool {
	t := &r.cluster.trials
	t.mu.Lock()
	defer t.mu.Unlock()
	last, tried := t.waiting[r.in.Owner]
	if !tried || last.of != of || time.Now().After(last.until) {
		return false
	}
	r.adoption = last.adoption
	for _, d := range r.all() {
		d.untried = last.untried[d.object]
	}
	return true
}

// remember keeps the trial of an adoption that waits, and forgets that of any other.
func (r rehearsal) remember(of string) {
	t := &r.cluster.trials
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, r.in.Owner)
	if r.adoption == nil {
		return
	}
	tried := trial{of, time.Now().Add(trialLasts), r.adoption, map[Object]string{}}
	for _, d := range r.all() {
		if d.unsure {
			return
		}
		tried.untried[d.object] = d.untried
	}
	if t.waiting == nil {
		t.waiting = map[Owner]trial{}
	}
	t.waiting[r.in.Owner] = tried
}
