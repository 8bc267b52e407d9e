package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	"transom.dev/render/platform"
)

// judge says how objects do, unless it said so before in this pass. Only an object that is at its desired revision, as the watch has seen
// it, is judged by its status: health that belongs to another revision does not count.
func (p *pass) judge(ctx context.Context, set []*desired) error {
	return each(ctx, set, func(ctx context.Context, d *desired) error {
		if d.judged {
			return nil
		}
		d.judged = true
		if d.watch != nil {
			if seen := d.watch.get(d.object); seen != nil && d.live != nil {
				d.live = seen
			}
		}
		said := d.status.Health != "" && d.fault == ""
		if said {
			return nil
		}
		health, message, err := p.health(ctx, d)
		if health == Healthy && message == "" && (p.adopted[d.object] || d.change != nil && d.change.Action == Adopted) {
			message = "adopted: it was there before"
		}
		d.status = ObjectStatus{Object: d.object, Health: health, Message: message}
		return err
	})
}

func (p *pass) health(ctx context.Context, d *desired) (Health, string, error) {
	switch l := d.live; {
	case d.fault != "":
		return Failed, d.fault, nil
	case l == nil:
		health, message := p.behind("not applied")
		return health, message, nil
	case l.deleting:
		return Progressing, "is being deleted", nil
	case d.adopts && p.adoption != nil:
		return Unknown, "its adoption waits for an Approval", nil
	case d.adopts:
		return Progressing, "not adopted", nil
	case l.digest != d.digest:
		health, message := p.behind("the cluster has another revision of it")
		return health, message, nil
	case p.rule(d) != nil && !custom(d.gvk.GroupKind()):
		return p.byEntry(ctx, d)
	case !wantsWhole(d.gvk.GroupKind()):
		return Healthy, "", nil
	case !l.seen():
		return Progressing, "just applied", nil
	}
	return p.assess(ctx, d)
}

// byEntry judges an object of a built-in kind by the version's health entry, and adds the ailment of its pods.
func (p *pass) byEntry(ctx context.Context, d *desired) (Health, string, error) {
	health, message, err := p.builtinHealth(ctx, d, p.rule(d).Applied)
	if err == nil && health != Healthy && d.fault == "" {
		message, err = p.why(ctx, d, message)
	}
	return health, message, err
}

// assess judges an object by its status, as the watch reduced it.
func (p *pass) assess(ctx context.Context, d *desired) (Health, string, error) {
	health, message := d.live.outlook.health, d.live.outlook.message
	if custom(d.gvk.GroupKind()) {
		health, message = p.customHealth(d)
	}
	if class := d.live.outlook.class; class != "" {
		waits, err := p.bindsLate(ctx, class)
		if err != nil {
			return Unknown, "", err
		}
		if waits {
			return Healthy, "waits for its first consumer", nil
		}
	}
	if health == Healthy {
		p.strays.forget(d)
		return health, message, nil
	}
	message, err := p.why(ctx, d, message)
	return health, message, err
}

// customHealth judges a custom resource: by the version's own expressions, else by the fields that most controllers report.
func (p *pass) customHealth(d *desired) (Health, string) {
	body := d.live.body
	seen, observes := observedGeneration(body)
	if observes && seen < d.live.generation {
		return Progressing, notSeen
	}
	rule := p.rule(d)
	if rule != nil && rule.Applied {
		return Healthy, ""
	}
	if !observes && outdated(d.live) {
		d.again = true
		return Progressing, notSeen
	}
	if rule != nil {
		return p.byExpressions(d, *rule)
	}
	if observes || condition(body, "Ready") != nil {
		return kstatusHealth(body)
	}
	if _, reports := body["status"]; !reports && young(d.live) {
		d.again = true
		return Progressing, "no status yet"
	}
	d.fault = "its status has neither a Ready condition nor observedGeneration: the version must say when it is healthy; " +
		"add an entry under spec.health, with applied: true if it has no health of its own"
	return Unknown, d.fault
}

// rule is the version's health entry for an object's kind, nil if it has none.
func (p *pass) rule(d *desired) *platform.Health {
	for i := range p.in.Health {
		if h := &p.in.Health[i]; h.Group == d.object.Group && h.Kind == d.object.Kind {
			return h
		}
	}
	return nil
}

// outdated says whether the status of a custom resource that does not report observedGeneration is from before our last
// PATCH: by its conditions' generation, else because nobody wrote it since. That a controller has nothing new to say
// cannot be told from that it has not looked yet, so after a while the status counts as it is.
func outdated(l *live) bool {
	if seen, says := conditionGeneration(l.body); says {
		return seen < l.generation
	}
	return l.created.Time.Before(l.applied) && !l.reported.After(l.applied) && l.fresh()
}

// fresh says whether our last PATCH was a moment ago: by our own clock, or if we came later, by the API server's, which
// may be anywhere.
func (l *live) fresh() bool {
	since := l.patched
	if since.IsZero() {
		since = l.applied
	}
	return time.Since(since).Abs() < patience
}

// byExpressions evaluates the version's health entry. A value that is not there yet is progress; any other error of
// evaluation is a mistake of the version.
func (p *pass) byExpressions(d *desired, h platform.Health) (Health, string) {
	for _, rule := range []struct {
		source string
		means  Health
	}{{h.Failed, Failed}, {h.Healthy, Healthy}} {
		if rule.source == "" {
			continue
		}
		yes, err := p.rules.eval(rule.source, d.live.body)
		switch {
		case platform.IsNoSuchKey(err):
		case err != nil:
			d.fault = fmt.Sprintf("the version's health expression %q: %v", rule.source, err)
			return Unknown, d.fault
		case yes && rule.means == Failed:
			return Failed, "its status matches " + rule.source
		case yes:
			return Healthy, ""
		}
	}
	if h.Healthy == "" {
		return Healthy, ""
	}
	return Progressing, "waiting for " + h.Healthy
}

// rules are compiled health expressions by their source.
type rules struct{ bySource sync.Map }

func (r *rules) eval(source string, object map[string]any) (bool, error) {
	rule, ok := r.bySource.Load(source)
	if !ok {
		compiled, err := platform.CompileHealth(source)
		if err != nil {
			return false, err
		}
		rule, _ = r.bySource.LoadOrStore(source, compiled)
	}
	result, err := rule.(*platform.Expression).Eval(object)
	yes, _ := result.(bool)
	return yes, err
}

// patience is how long a custom resource may be without any status when it is new, or with that of before when it changed.
const patience = 30 * time.Second

func young(l *live) bool { return time.Since(l.created.Time) < patience }
