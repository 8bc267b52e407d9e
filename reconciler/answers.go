package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Answers are promotion's decisions over one environment in one pass: the choice of releases, and what it answered while
// rendering asked about the bytes of them.
type Answers struct {
	*promotion.Choice
	admission  *promotion.Admission // the answer to the last question; where nothing changes rendering asks none
	namespaces promotion.NamespaceAdmission
}

// Direction has rendering follow a choice, and collects the answers that rendering is given. The bytes that are restored come
// from the commits of the state that had them.
func Direction(ctx context.Context, choice *promotion.Choice, at func(context.Context, string) (fs.FS, error)) (render.Direction, *Answers, error) {
	a := &Answers{Choice: choice, admission: choice.Admit(nil)}
	d := render.Direction{
		Instances: choice.Instances, Keep: choice.Keep, Records: choice.Records, Forget: choice.Forget,
		Restore: map[platform.RequestKey]render.Restoration{},
		Admit: func(proposals []state.Proposal) []*state.Release {
			a.admission = choice.Admit(proposals)
			return a.admission.Records
		},
		AdmitNamespaces: func(digest string) bool {
			a.namespaces = a.admission.AdmitNamespaces(digest)
			return a.namespaces.Open
		},
	}
	for k, back := range choice.Restore {
		past, err := at(ctx, back.State)
		if err != nil {
			return d, a, fmt.Errorf("read what %s was: %w", k, err)
		}
		restoration := render.Restoration{Release: back.Release, Manifests: map[string][]byte{}}
		for _, cluster := range back.Clusters {
			if restoration.Manifests[cluster], err = fs.ReadFile(past, state.ManifestFile(cluster, k)); err != nil {
				return d, a, fmt.Errorf("read what %s was at state commit %s: %w", k, back.State, err)
			}
		}
		d.Restore[k] = restoration
	}
	return d, a, nil
}

// standings are those of the instances that are not simply at rest.
func (a *Answers) standings() map[platform.RequestKey]*promotion.Standing {
	return a.admission.Standings
}

// next is when to decide again though nothing was heard; zero: never.
func (a *Answers) next() time.Time {
	next, opens := a.admission.Next, a.namespaces.Gate.At
	sooner := !opens.IsZero() && opens.Before(next)
	if sooner || next.IsZero() {
		return opens
	}
	return next
}

// plan is the digest of the environment change that waits for an Approval; empty: none does.
func (a *Answers) plan() string { return cmp.Or(a.admission.Plan, a.namespaces.Plan) }
