package render

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"transom.dev/render/internal/manifests"
	"transom.dev/render/platform"
	"transom.dev/render/schema"
)

// The steps of CEL that the policies of one environment may take in one pass: so many for all policies together, in equal parts, and
// so many more for each policy and placement. Each policy that looks at an object takes some.
const (
	judgeTogether = int64(3_000_000)
	judgeEach     = int64(2_000)
	judgeCost     = int64(20)
)

// An allowance is the number of steps of CEL that one policy may take in a pass: for all requests, and for one of them. It follows
// from the platform alone, so that it is the same in every command and in the daemon.
type allowance struct{ all, one int64 }

func allowanceOf(s *snapshot) allowance {
	all := judgeTogether/max(1, int64(len(s.policies))) + judgeEach*int64(s.instances.Placements())
	return allowance{all, all / 2}
}

// A judgement is the findings of policies about the manifests of an instance, so that they are read and judged once.
type judgement struct {
	of       []judgedManifest
	findings []finding // by policy
}

type judgedManifest struct {
	cluster, revision string
	carried           bool
}

// A finding is the result of one policy about the objects of an instance.
type finding struct {
	policy   *platform.Policy
	problems []platform.Problem
	cost     int64    // in steps of CEL; where it is not done, it comes to more
	done     bool     // the policy looked at every object
	at       objectID // the object at which it was ended; where it is not done
}

// judgementOf returns the judgement that is remembered of these placements, or an empty one.
func (e *evaluation) judgementOf(placements []*placement, policies []*platform.Policy) *judgement {
	var of []judgedManifest
	for _, placed := range placements {
		of = append(of, judgedManifest{placed.cluster.Name, placed.revision, placed.carried})
	}
	before := e.judged
	if before == nil || !slices.Equal(before.of, of) {
		before = &judgement{}
	}
	same := slices.EqualFunc(before.findings, policies, func(f finding, p *platform.Policy) bool { return f.policy == p })
	if same {
		return before
	}
	made := &judgement{of: of}
	for _, policy := range policies {
		f := finding{policy: policy}
		if n := slices.IndexFunc(before.findings, func(f finding) bool { return f.policy == policy }); n >= 0 {
			f = before.findings[n]
		}
		made.findings = append(made.findings, f)
	}
	return made
}

// An attempt is the work to bring some findings to their end.
type attempt struct {
	judgement *judgement
	open      []bool            // the findings that are looked for
	room      func(n int) int64 // how many steps a policy may still take; below zero: it took too many
	spend     func(n int, cost int64)
}

// begin forgets the open findings as far as they have come.
func (s *attempt) begin() {
	for n, open := range s.open {
		if open {
			s.judgement.findings[n] = finding{policy: s.judgement.findings[n].policy}
		}
	}
}

// end notes the findings that came to their end.
func (s *attempt) end() {
	for n, open := range s.open {
		if open {
			s.judgement.findings[n].done = true
		}
	}
}

// judge looks at every object of a manifest by the policies; variables are the inputs it was rendered from.
func (s *attempt) judge(manifest []byte, variables map[string]any, stays bool) error {
	for _, text := range manifests.Split(manifest) {
		if !slices.Contains(s.open, true) {
			return nil
		}
		objects, err := parseObjects(text)
		if err != nil || len(objects) != 1 {
			continue // whoever wrote it, it was no rendering
		}
		id, object := objects[0].id, map[string]any(nil)
		for n := range s.judgement.findings {
			f := &s.judgement.findings[n]
			if !s.open[n] || !f.policy.Matches(id.group, id.kind) {
				continue
			}
			if !s.took(n, judgeCost, id) {
				continue
			}
			if object == nil {
				if object, err = manifests.Object(text); err != nil {
					return fmt.Errorf("%s: %w", id, err)
				}
				variables["object"] = object
			}
			problems, cost := judgeObject(f.policy, id, variables, stays, s.room(n))
			f.problems = append(f.problems, problems...)
			s.took(n, cost, id)
		}
	}
	return nil
}

// took counts steps of a policy at an object, and reports whether the policy may take more.
func (s *attempt) took(n int, cost int64, at objectID) bool {
	f := &s.judgement.findings[n]
	f.cost += cost
	s.spend(n, cost)
	if s.room(n) >= 0 {
		return true
	}
	s.open[n], f.at = false, at
	return false
}

// A sharedBudget is the steps that remain of the allowance of each policy while candidates are judged side by side. Whose turn it was
// decides nothing: what is not judged when a policy has none is judged afterwards, in its turn.
type sharedBudget struct {
	allowance
	remaining []atomic.Int64 // by policy
}

func newSharedBudget(s *snapshot) *sharedBudget {
	p := &sharedBudget{allowanceOf(s), make([]atomic.Int64, len(s.policies))}
	for n := range p.remaining {
		p.remaining[n].Store(p.all)
	}
	return p
}

// A budget counts the steps that each policy still has, request after request in the order of their names.
type budget struct {
	allowance
	environment string
	remaining   []int64 // by policy
	from        []string
}

func newBudget(s *snapshot) *budget {
	l := &budget{allowanceOf(s), s.environment.Name, make([]int64, len(s.policies)), make([]string, len(s.policies))}
	for n := range l.remaining {
		l.remaining[n] = l.all
	}
	return l
}

// attempt is one in which each policy may take what remains for the next request.
func (l *budget) attempt(j *judgement) *attempt {
	return &attempt{
		judgement: j,
		spend:     func(int, int64) {},
		room:      func(n int) int64 { return l.most(n) - j.findings[n].cost },
	}
}

// most is how many steps a policy may take for the next request.
func (l *budget) most(n int) int64 { return min(l.one, l.remaining[n]) }

// enter counts the steps of a finding. It returns the Problem of one that took too many, or nil, and whether its own Problems are told:
// not those of a policy that is spent, which depend on whose turn it was.
func (l *budget) enter(n int, of string, f *finding) (ended *platform.Problem, told bool) {
	ended = &platform.Problem{File: f.policy.File, Rule: schema.RuleTooMuchWork}
	switch most := l.most(n); {
	case f.done && f.cost <= most:
		l.remaining[n] -= f.cost
		return nil, true
	case most == l.one:
		l.remaining[n] -= most
		ended.Message = fmt.Sprintf("judging %s takes more than %s steps of CEL, at the %s; let the expressions look at less, or match fewer kinds",
			of, grouped(l.one), f.at)
		return ended, true
	}
	if l.remaining[n] = 0; l.from[n] == "" {
		l.from[n] = of
	}
	ended.Message = fmt.Sprintf("judging all requests in %s takes more than %s steps of CEL, so that %s and those after it are not judged: "+
		"what runs stays as it is, and what changes is denied; let the expressions look at less, or match fewer kinds or environments", l.environment, grouped(l.all), l.from[n])
	if !f.policy.Denies() {
		ended.Message = fmt.Sprintf("judging all requests in %s takes more than %s steps of CEL, so that %s and those after it are not judged; "+
			"let the expressions look at less, or match fewer kinds or environments", l.environment, grouped(l.all), l.from[n])
	}
	return ended, false
}

// grouped writes a number as people read it: 1,048,576.
func grouped(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
