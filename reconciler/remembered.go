package reconciler

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"transom.dev/fleet/apply"
	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
)

// answers are the answers to checks that an inventory keeps, by their topic. Answers of gates are kept by an instance that runs
// the release before, or by the one that is to be replaced; answers of rollouts by the placement that they are about. An answer that was
// forgotten stays as a zero one, so that a cluster which did not learn that brings nothing back.
type answers map[check.Topic]promotion.Checked

// A rememberedAnswer is the form of an answer in an inventory.
type rememberedAnswer struct {
	Environment string            `json:"environment"`
	Check       string            `json:"check"`
	Release     string            `json:"release,omitempty"`
	Revision    string            `json:"revision,omitempty"`
	Cluster     string            `json:"cluster,omitempty"`
	URL         string            `json:"url,omitempty"`
	Query       string            `json:"query,omitempty"`
	Run         string            `json:"run,omitempty"`
	Verdict     promotion.Verdict `json:"verdict,omitempty"`
	Message     string            `json:"message,omitempty"`
	Since       time.Time         `json:"since,omitzero"`
	Passed      time.Duration     `json:"held,omitempty"`
	Failed      time.Duration     `json:"failed,omitempty"`
	Silent      time.Duration     `json:"silent,omitempty"`
}

// String is the form of all answers; empty where there is none.
func (a answers) String() string {
	var list []rememberedAnswer
	for of, is := range a {
		if is == (promotion.Checked{}) {
			continue
		}
		list = append(list, rememberedAnswer{
			of.Environment, of.Check, of.Subject.Release, of.Subject.Revision, of.Subject.Cluster, of.Question.URL, of.Question.Query, of.Question.Run,
			is.Verdict, is.Message, is.Since, is.Passed, is.Failed, is.Silent,
		})
	}
	if len(list) == 0 {
		return ""
	}
	slices.SortFunc(list, func(a, b rememberedAnswer) int {
		return slices.Compare([]string{a.Environment, a.Check, a.Release, a.Revision}, []string{b.Environment, b.Check, b.Release, b.Revision})
	})
	text, err := json.Marshal(list)
	if err != nil {
		return "" // no field of it can fail
	}
	return string(text)
}

// restoreAnswers takes over the answers of an inventory. Those of a revision that came back meanwhile are of an earlier time, and say nothing.
func (s *observed) restoreAnswers(k platform.RequestKey, text string) {
	if !s.moved {
		s.answers = s.answers.restore(k, text)
	}
}

// restore takes over those answers of an inventory about which this process knows nothing. A text that cannot be read has none.
func (a answers) restore(k platform.RequestKey, text string) answers {
	var list []rememberedAnswer
	if text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return a
	}
	if a == nil {
		a = answers{}
	}
	for _, r := range list {
		of := check.Topic{
			Environment: r.Environment, Check: r.Check,
			Subject: promotion.CheckKey{Request: k, Release: r.Release, Cluster: r.Cluster, Revision: r.Revision},
		}
		of.Question.URL, of.Question.Query, of.Question.Run = r.URL, r.Query, r.Run
		is := promotion.Checked{Verdict: r.Verdict, Message: r.Message, Since: r.Since, Passed: r.Passed, Failed: r.Failed, Silent: r.Silent}
		if _, known := a[of]; !known && is.Passed >= 0 && is.Failed >= 0 && is.Silent >= 0 {
			a[of] = is
		}
	}
	return a
}

// remembering has the inventories of clusters remember the answers to checks.
type remembering struct {
	health *observations
	latest func() *platform.Platform
}

// placementsFor lists the placements that could remember a topic, the first choice first: that of a rollout, else those of the environments
// before, where the release runs, and those of the environment itself. The caller holds the lock of the observations.
func (m remembering) placementsFor(of check.Topic) (all []placement) {
	environments := []string{of.Environment}
	if p := m.latest(); p != nil && of.Subject.Cluster == "" {
		environments = slices.Concat(p.Graph.Upstream(of.Environment), environments)
	}
	for _, environment := range environments {
		var here []placement
		for cluster := range m.health.members[environment] {
			at := placement{environment, cluster, of.Subject.Request}
			s := m.health.of(at)
			elsewhere := of.Subject.Cluster != "" && of.Subject.Cluster != cluster
			if s == nil || s.Revision == "" || elsewhere {
				continue
			}
			if of.Subject.Cluster == "" || of.Subject.Revision == s.Revision {
				here = append(here, at)
			}
		}
		slices.SortFunc(here, func(a, b placement) int { return strings.Compare(a.cluster, b.cluster) })
		all = append(all, here...)
	}
	return all
}

// Recall implements check.Memory.
func (m remembering) Recall(of check.Topic) promotion.Checked {
	m.health.mu.Lock()
	defer m.health.mu.Unlock()
	for _, at := range m.placementsFor(of) {
		if is := m.health.of(at).answers[of]; is != (promotion.Checked{}) {
			return is
		}
	}
	return promotion.Checked{}
}

// Remember implements check.Memory.
func (m remembering) Remember(of check.Topic, is promotion.Checked) (kept bool) {
	m.health.mu.Lock()
	defer m.health.mu.Unlock()
	for _, at := range m.placementsFor(of) {
		s := m.health.of(at)
		before, known := s.answers[of]
		first := !kept && is != (promotion.Checked{})
		if !first && !known {
			continue
		}
		if s.answers == nil {
			s.answers = answers{}
		}
		s.answers[of] = promotion.Checked{}
		if first {
			s.answers[of], kept = is, true
		}
		if s.answers[of] != before {
			m.health.keep(at, s)
		}
	}
	return kept
}

// keep has the cluster of a placement remember all that there is to remember of its revision. The caller holds the lock.
func (o *observations) keep(at placement, s *observed) {
	if o.checkpoint == nil {
		return
	}
	s.saved, _ = s.meter.Read(metered(s.Observation), o.steady(), o.patience[at.environment].grace)
	o.checkpoint(at.environment, at.cluster, at.request, apply.Checkpoint{
		Revision: metered(s.Observation), Soaked: s.saved, Checks: s.answers.String(),
	})
}
