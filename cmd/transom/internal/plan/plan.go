// Package plan lists the changes that merging a platform would make: on every cluster, at once and once promoted.
//
// In come a directory with a platform and the states of its environments, or renderings instead of those; out comes a Plan,
// which prints as text, as one comment of a pull request, or as JSON. It writes nothing.
package plan

import (
	"context"
	"fmt"
	"slices"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// Plan lists the effects of a merge.
type Plan struct {
	Base         string             `json:"base"`  // the side that the work tree is compared with
	Notes        []string           `json:"notes"` // facts that the plan cannot know
	Environments []Environment      `json:"environments"`
	Changes      []preview.Change   `json:"changes"`
	Promoted     Stage              `json:"promoted"`        // the changes downstream, on top of those at once
	Blocked      Stage              `json:"held"`            // changes that wait until a person or another release lets them
	OnTheirWay   Stage              `json:"onTheirWay"`      // changes that come without this merge, merged before it
	States       states.States      `json:"states"`          // at which environments somebody looked
	Decisions    []Decision         `json:"decisions"`       // that are merged, changed or removed
	Waits        []Wait             `json:"waits"`           // why requests that this merge concerns do not go on by themselves
	Problems     []platform.Problem `json:"problems"`        // the objects that they concern stay as they are
	Known        []platform.Problem `json:"known,omitempty"` // Problems that the merged platform has too
	Warnings     []platform.Problem `json:"warnings"`        // of rendering

	// Adoptions are the answers of clusters about taking over objects that exist there; nil: none was asked.
	Adoptions []Adoption `json:"adoptions,omitempty"`

	Platform *platform.Platform      `json:"-"`
	After    map[string]*render.Base `json:"-"` // by environment, with all that comes to it
}

// Environment lists the effects of a merge on one environment as a whole.
type Environment struct {
	Name     string              `json:"name"`
	LetGo    bool                `json:"letGo,omitempty"`  // its file is removed: nothing is written to it any more
	Digest   string              `json:"digest,omitempty"` // names the changes of its placements
	Steps    []string            `json:"passes,omitempty"` // the steps that its changes pass on their way in
	Leaves   []preview.Departure `json:"leaves,omitempty"` // clusters that its requests leave last
	Changing int                 `json:"changing"`         // requests whose objects change
	Requests int                 `json:"requests"`         // that it has, before or after
	Moves    []preview.Move      `json:"moves"`
	Cautions []preview.Caution   `json:"cautions"`

	OnTheirWay []platform.RequestKey `json:"onTheirWay,omitempty"` // whose change was merged before, sorted
	Stuck      []Wait                `json:"stuck,omitempty"`      // why some of these do not go on: rejected, held and the like
	Unproven   []Unproven            `json:"unproven,omitempty"`   // promoted releases that no upstream environment proves
}

// now is the stage of the changes at once.
func (p *Plan) now() Stage { return Stage{p.Environments, p.Changes} }

// Make compares the platform in a directory with its baseline. Ask, if it is given, asks the clusters about taking over
// objects that exist there, once the plan is known.
func Make(ctx context.Context, dir string, with Against, ask func(context.Context, *Plan) ([]Adoption, error)) (*Plan, error) {
	p, err := workspace.Load(dir)
	if err != nil {
		return nil, err
	}
	var r render.Renderer
	base, err := with.baseline(ctx, &r, dir, p)
	if err != nil {
		return nil, err
	}
	result := &Plan{
		Base: base.name, Notes: slices.Concat([]string{}, base.notes, unknown(base.rendered, p)), Changes: []preview.Change{},
		States:   base.states,
		Promoted: noStage(), Blocked: noStage(), OnTheirWay: noStage(), Decisions: []Decision{}, Waits: []Wait{},
		Platform: p, After: map[string]*render.Base{},
	}
	all, err := makeForecast(ctx, &r, dir, p, base)
	if err != nil {
		return nil, err
	}
	for _, name := range workspace.Environments(p) {
		if err := result.add(all, name); err != nil {
			return nil, err
		}
		if note := stale(dir, name, all.of[name].Before); note != "" {
			result.Notes = append(result.Notes, note)
		}
	}
	for _, name := range base.letGo(p) {
		result.Environments = append(result.Environments, Environment{
			Name: name, LetGo: true, Moves: []preview.Move{}, Cautions: []preview.Caution{},
		})
	}
	result.Decisions = all.decisions()
	found, err := findProblems(&r, dir, base, all)
	if err != nil {
		return nil, err
	}
	result.Problems, result.Known, result.Warnings = found.fresh, found.known, found.warnings
	if ask != nil {
		result.Adoptions, err = ask(ctx, result)
	}
	return result, err
}

// add records the changes of one environment: at once, once promoted, and once nothing blocks it any more.
func (p *Plan) add(all *forecast, name string) error {
	e, to := all.platform.Environments[name], all.of[name]
	p.After[name] = to.Last
	digest, err := all.digest(name)
	if err != nil {
		return err
	}
	merged, now := all.merged(name), p.now()
	apart, err := now.add(Environment{
		Name: name, Digest: digest, Steps: all.stepsInto(e, false, to.Before, to.Now, merged.requests),
		Leaves: all.leaves(to.Before, to.Now, merged.requests),
	}, to.Before, to.Now, merged)
	if err != nil {
		return err
	}
	p.Environments, p.Changes = now.Environments, now.Changes
	later, err := p.addPromoted(all, name, merged)
	if err != nil {
		return err
	}
	waits := all.waits(name, merged.requests)
	p.Waits = append(p.Waits, waits...)
	blocked, err := p.Blocked.add(Environment{Name: name, Steps: keptLines(waits)}, to.Later, to.Blocked, merged)
	if err != nil {
		return err
	}
	if apart = slices.Concat(apart, later, blocked); len(apart) > 0 {
		p.OnTheirWay.Changes = append(p.OnTheirWay.Changes, apart...)
		p.OnTheirWay.Environments = append(p.OnTheirWay.Environments, Environment{
			Name: name, OnTheirWay: merged.requests, Stuck: all.stuck(name, merged.requests), Changing: changing(apart), Requests: requestsOf(to.Before, to.Now),
			Moves: []preview.Move{}, Cautions: []preview.Caution{},
		})
	}
	return nil
}

// addPromoted records the changes that come to an environment from others.
func (p *Plan) addPromoted(all *forecast, name string, merged *merged) (apart []preview.Change, err error) {
	e, to := all.platform.Environments[name], all.of[name]
	if len(e.PromotesFrom) == 0 {
		return nil, nil
	}
	if len(to.Promoted.Releases) > 0 && len(to.Before.Releases) > 0 && all.earlier == nil {
		p.Notes = append(p.Notes, fmt.Sprintf("some of what comes to %s once promoted may be on its way already: "+
			"the platform commit that was accepted last is not in this clone", name))
	}
	return p.Promoted.add(Environment{
		Name: name, Steps: all.stepsInto(e, true, to.Entered, to.Promoted, merged.requests),
		Leaves:     all.leaves(to.Entered, to.Promoted, merged.requests),
		OnTheirWay: merged.requests, Unproven: all.unproven(name, merged.requests),
	}, to.Entered, to.Promoted, merged)
}

// changing counts the requests that changes are of.
func changing(changes []preview.Change) int {
	requests := map[platform.RequestKey]bool{}
	for _, c := range changes {
		if c.Request != "" {
			requests[platform.RequestKey{Team: c.Team, Name: c.Request}] = true
		}
	}
	return len(requests)
}

// requestsOf counts the requests that an environment has before or after.
func requestsOf(before *render.Base, after *render.State) int {
	n := 0
	for _, release := range before.Releases {
		if !release.Absent {
			n++
		}
	}
	for k, release := range after.Releases {
		if gone(before.Releases[k]) && !release.Absent {
			n++
		}
	}
	return n
}

// Empty says whether merging changes nothing: not at once, not once promoted, and no decision has an effect.
func (p *Plan) Empty() bool {
	return p.now().empty() && p.Promoted.empty() && p.Blocked.empty() && !slices.ContainsFunc(p.Decisions, Decision.hasEffect)
}
