package apply

import (
	"context"
	"time"

	"transom.dev/render/state"
)

// healthCache has the findings of earlier visits that health is assessed by.
type healthCache struct {
	rules   rules
	classes storageClasses
	bodies  bodies
}

func newHealthCache() healthCache {
	return healthCache{classes: storageClasses{byName: map[string]storageClass{}}, bodies: bodies{byObject: map[Object]*live{}}}
}

// assessment finds out how objects do.
type assessment struct {
	*target
	pods podDiagnosis
}

// assessHealth says how objects do, unless it said so before in this visit. Only an object that is at its desired revision, as the watch has seen
// it, is assessed by its status: health that belongs to another revision does not count.
func (a assessment) assessHealth(ctx context.Context, set []*desired) error {
	return each(ctx, set, func(ctx context.Context, d *desired) error {
		if d.assessed {
			return nil
		}
		d.assessed = true
		if d.watch != nil {
			if seen := d.watch.get(d.object); seen != nil && d.live != nil {
				d.live = seen
			}
		}
		said := d.status.Health != "" && d.fault == ""
		if said {
			return nil
		}
		health, message, err := a.assessObject(ctx, d)
		adopts := d.change != nil && d.change.Action == Adopted
		adopted := adopts || a.inventory.adopted[d.object]
		if health == state.Healthy && message == "" && adopted {
			message = "adopted: it was there before"
		}
		d.status = ObjectStatus{Object: d.object, Health: health, Message: message}
		return err
	})
}

// assessObject is the health of one object and the reason of it. The cases that need no status come first.
func (a assessment) assessObject(ctx context.Context, d *desired) (state.Health, string, error) {
	switch l := d.live; {
	case d.fault != "":
		return state.Failed, d.fault, nil
	case l == nil:
		health, message := a.behind("not applied")
		return health, message, nil
	case l.deleting:
		return state.Progressing, "is being deleted", nil
	case d.adopts && a.adoption != nil:
		return state.Unknown, "its adoption waits for an Approval", nil
	case d.adopts:
		return state.Progressing, "not adopted", nil
	case l.digest != d.digest:
		health, message := a.behind("the cluster has another revision of it")
		return health, message, nil
	case a.healthEntry(d) != nil && !custom(d.gvk.GroupKind()):
		return a.assessByEntry(ctx, d)
	case !wantsWhole(d.gvk.GroupKind()):
		return state.Healthy, "", nil
	case !l.seen():
		return state.Progressing, "just applied", nil
	}
	return a.assessByStatus(ctx, d)
}

// assessByEntry assesses an object of a built-in kind by the version's health entry, and adds the ailment of its pods.
func (a assessment) assessByEntry(ctx context.Context, d *desired) (state.Health, string, error) {
	health, message, err := a.assessBuiltin(ctx, d, a.healthEntry(d).Applied)
	if err == nil && health != state.Healthy && d.fault == "" {
		message, err = a.pods.explain(ctx, d, message)
	}
	return health, message, err
}

// assessByStatus assesses an object by its status, as the watch reduced it.
func (a assessment) assessByStatus(ctx context.Context, d *desired) (state.Health, string, error) {
	health, message := d.live.byStatus.health, d.live.byStatus.message
	if custom(d.gvk.GroupKind()) {
		health, message = a.assessCustom(d)
	}
	if class := d.live.byStatus.class; class != "" {
		waits, err := a.cluster.health.classes.bindsLate(ctx, a.client, class)
		if err != nil {
			return state.Unknown, "", err
		}
		if waits {
			return state.Healthy, "waits for its first consumer", nil
		}
	}
	if health == state.Healthy {
		a.cluster.unlabelled.forgetPodsOf(d)
		return health, message, nil
	}
	message, err := a.pods.explain(ctx, d, message)
	return health, message, err
}

// assessCustom assesses a custom resource: by the version's own expressions, else by those that are known of its kind, else by the
// fields that most controllers report.
func (a assessment) assessCustom(d *desired) (state.Health, string) {
	body := d.live.body
	seen, observes := observedGeneration(body)
	if observes && seen < d.live.generation {
		return state.Progressing, notSeen
	}
	rule := a.healthRule(d)
	if rule != nil && rule.Applied {
		return state.Healthy, ""
	}
	if !observes && precedesPatch(d.live) {
		d.again = true
		return state.Progressing, notSeen
	}
	if rule != nil {
		return a.evaluateRule(d, rule)
	}
	if observes || condition(body, "Ready") != nil {
		return kstatusHealth(body)
	}
	if _, reports := body["status"]; !reports && young(d.live) {
		d.again = true
		return state.Progressing, "no status yet"
	}
	d.fault = "its status has neither a Ready condition nor observedGeneration: the version must say when it is healthy; " +
		"add an entry under spec.health, with applied: true if it has no health of its own"
	return state.Unknown, d.fault
}

// precedesPatch says whether the status of a custom resource that does not report observedGeneration is from before our last
// PATCH: by its conditions' generation, else because nobody wrote it since. That a controller has nothing new to say
// cannot be told from that it has not looked yet, so after a while the status counts as it is.
func precedesPatch(l *live) bool {
	if seen, says := conditionGeneration(l.body); says {
		return seen < l.generation
	}
	return l.created < l.applied && l.reported <= l.applied && l.fresh()
}

// fresh says whether our last PATCH was a moment ago: by our own clock, or if we came later, by the API server's, which
// may be anywhere.
func (l *live) fresh() bool {
	since := l.patched.time()
	if l.patched == 0 {
		since = l.applied.time()
	}
	return time.Since(since).Abs() < patience
}

// patience is how long a custom resource may be without any status when it is new, or with that of before when it changed.
const patience = 30 * time.Second

// young says whether an object was made by a PATCH of ours that was a moment ago. The times of the two are compared with each other: the
// API server's clock may be anywhere. Of one that another agent made nothing but its own time is known.
func young(l *live) bool {
	if l.applied == 0 {
		return time.Since(l.created.time()).Abs() < patience
	}
	return l.applied.time().Sub(l.created.time()) < patience && l.fresh()
}
