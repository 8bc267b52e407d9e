package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A nextStep is the thing that a person does next about a task: a sentence, and the page for it.
type nextStep struct{ Text, Link, Name string }

// Elsewhere says whether the page is none of the console.
func (s nextStep) Elsewhere() bool { return strings.HasPrefix(s.Link, "https://") }

// aboutSeals is the part of the documents that says how values are sealed.
const aboutSeals = "/docs/developer#give-a-secret"

// ways knows the pages that a person can go to.
type ways struct {
	forge     forge
	pods      func(in *status.Instance) bool // whether they see its pods
	manifests func(in *status.Instance) bool
	edits     func(key platform.RequestKey) bool
}

// waysOf are those of whoever asks.
func waysOf(c *Console, r *http.Request, m *model) ways {
	who, p := c.Person(r), m.Platform.Offers() // once: there may be very many tasks
	return ways{
		forge:     forgeOf(m.Platform.URL, m.Platform.Branch),
		pods:      func(in *status.Instance) bool { return onClusters{c}.showsPods(who, m, in) },
		manifests: func(in *status.Instance) bool { return onClusters{c}.showsManifests(who, in) },
		edits: func(key platform.RequestKey) bool {
			return c.Edit != nil && p != nil && p.Request(key) != nil && ofRequests{c}.mayEdit(who, key)
		},
	}
}

// toFile leads to a file at the forge, or to another page where none is known.
func (w ways) toFile(text, file string, line int, otherwise, name string) *nextStep {
	if link := w.forge.file(file, line); link != "" {
		return &nextStep{text, link, "Open the file"}
	}
	return &nextStep{text, otherwise, name}
}

// afterProblem is the step about a Problem of a file; key is the request that has it.
func (w ways) afterProblem(p platform.Problem, key platform.RequestKey, page string) *nextStep {
	switch {
	case strings.HasSuffix(p.File, ".secret.yaml"):
		return &nextStep{"Seal the values by the command that the message names, and merge their file.", aboutSeals, "How to seal"}
	case !strings.HasPrefix(p.File, "requests/"+key.Team+"/"):
		return w.toFile("Whoever owns "+p.File+" mends it.", p.File, p.Line, "/problems", "All Problems")
	}
	return w.toFile("Mend "+p.File+", and merge that.", p.File, p.Line, page, "Its page")
}

// after is the step about an instance that no time mends, at a placement; nil: at none.
func (w ways) after(in *status.Instance, p *status.Placement) *nextStep {
	page := requestLink(in.Request, in.Environment)
	for _, one := range in.Problems {
		if !one.Warning {
			return w.afterProblem(one, in.Request, page)
		}
	}
	switch {
	case p == nil && in.Rollout != nil && in.Rollout.Stopped != "":
		return &nextStep{"See which cluster it failed on, and merge a fix or another version.", page + "#clusters", "Its clusters"}
	case p == nil:
		return &nextStep{"See what the message is about.", page, "Its page"}
	case len(p.Problems) > 0:
		return w.afterFault(in, p.Problems[0].Message, page+"#on-"+p.Cluster)
	case w.pods(in):
		return &nextStep{"Read why in the log and the Events of its pods, and merge a fix.", podsLink(in.Request, in.Environment, p.Cluster), "Log and Events"}
	}
	return &nextStep{"See which of its objects failed, and merge a fix.", page + "#on-" + p.Cluster, "Its objects"}
}

// lacksRight is the part of an answer of an API server to somebody who may not do so.
const lacksRight = `is forbidden: User "`

// afterFault is the step about an object on a cluster that a person has to see to.
func (w ways) afterFault(in *status.Instance, message, place string) *nextStep {
	switch {
	case strings.HasPrefix(message, state.Refused) && strings.Contains(message, lacksRight):
		return &nextStep{"Have the operators of the cluster give the user that the message names the right that it lacks.", place, "Its objects"}
	case strings.HasPrefix(message, state.Unopened):
		return &nextStep{"Seal its values anew, or have the operators give the daemon a key that opens them.", aboutSeals, "How to seal"}
	case strings.HasPrefix(message, state.Refused) && w.edits(in.Request):
		return &nextStep{"Change the value that the cluster refuses; if none of the request's is to blame, tell the offering's owner.", editLink(in.Request), "Edit the request"}
	case strings.HasPrefix(message, state.Refused):
		const text = "Change the value that the cluster refuses; if none of the request's is to blame, tell the offering's owner."
		return w.toFile(text, in.File, 0, place, "Its objects")
	}
	return &nextStep{"Mend it as the message says.", place, "Its objects"}
}

// toPlan leads to the differences that the release would make which waits, or was rejected; nil: there is no plan that whoever looks may see.
func (w ways) toPlan(in *status.Instance) *nextStep {
	if link := planLink(in); link != "" && w.manifests(in) {
		return &nextStep{"See what it changes, object by object.", link, "The plan"}
	}
	return nil
}

// planLink is the address of the differences that the release that waits for an instance would make; empty: none waits, or it has nothing to be compared
// with.
func planLink(in *status.Instance) string {
	if in == nil || in.Candidate == nil || in.Candidate.Absent || len(in.Placements) == 0 {
		return ""
	}
	return manifestsLink(in.Request, in.Environment, in.Placements[0].Cluster, "next") + "#differences"
}

// broken lists the Problems in files of teams that no instance tells of, such as those of requests that came to no environment yet.
func (p *homePage) broken(m *model) {
	for _, one := range m.Platform.Problems {
		if one.Warning || one.Request == nil || !p.isMine(one.Request.Team) {
			continue
		}
		text := one.String()
		if _, told := p.failing[[2]string{one.Request.String(), text}]; told {
			continue
		}
		link := "/problems"
		if m.byKey[*one.Request] != nil {
			link = requestLink(*one.Request, one.Environment)
		}
		p.fail(task{About: one.Request.String(), Where: one.Environment, Link: link, Verdict: problem, Text: text, Step: p.ways.afterProblem(one, *one.Request, link)})
	}
}

// ended lists the Holds, Pins and Overrides that are over, whose files say what is so no more, and returns when the next one will be; zero: none.
// Where the page is of one team, those of others are not listed.
func (p *homePage) ended(m *model, now time.Time, ofTeam bool) (next time.Time) {
	offers := m.Platform.Offers()
	if offers == nil {
		return next
	}
	for _, d := range offers.Decisions {
		team := d.Team
		if d.Request != nil {
			team = d.Request.Team
		}
		mine := team == "" || p.isMine(team)
		switch {
		case d.Broken || d.Until.IsZero() || !slices.Contains(decision.Standing(), d.Kind), ofTeam && !mine:
		case now.Before(d.Until):
			if next.IsZero() || d.Until.Before(next) {
				next = d.Until
			}
		default:
			link := "/environments/" + d.Environment
			if m.byName[d.Environment] == nil {
				link = "/problems"
			}
			p.wait(task{
				About: string(d.Kind) + " " + d.Name, Where: d.Environment, Link: link, Verdict: waiting, Since: d.Until,
				Text: "is over, and decides nothing any more", Step: p.ways.toFile("Delete "+d.File+", and merge that.", d.File, 0, link, "Its environment"),
			}, d.Environment, team, d.Name, mine)
		}
	}
	return next
}
