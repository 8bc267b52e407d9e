package check

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// A Topic is a question of a check about a subject, as a Memory knows it.
type Topic struct {
	Environment, Check string
	Subject            promotion.CheckKey
	Question           inquiry.Text // with a digest instead of a run, which names every cluster
}

// A Memory outlives the process. Its methods wait for nobody. An answer that it lost is asked for again.
type Memory interface {
	// Recall returns the answer about a topic from before this process; zero: there is none.
	Recall(of Topic) promotion.Checked

	// Remember takes the last answer, and reports whether there is one that remembers it. The zero answer has the topic forgotten.
	Remember(of Topic, is promotion.Checked) (kept bool)
}

// topic is the topic of a subject of a party.
func (at partyKey) topic(key promotion.CheckKey, s *subject) Topic {
	q := s.text
	if q.Run != "" {
		digest := sha256.Sum256([]byte(q.Run))
		q.Run = hex.EncodeToString(digest[:])
	}
	return Topic{at.environment, at.check, key, q}
}

// recall goes on from the answers before this process: times of the same verdict are added up, and time that nobody watched
// does not count.
func (s *subject) recall(m Memory, of Topic, c *inquiry.Check) {
	if m == nil || s.remembered || s.checked.Suffices(c) {
		return
	}
	was := m.Recall(of)
	if was == (promotion.Checked{}) {
		return
	}
	s.remembered = true
	is := &s.checked
	switch {
	case is.Since.IsZero():
		*is = was
	case is.Verdict == was.Verdict:
		is.Since = was.Since
		is.Passed, is.Failed, is.Silent = is.Passed+was.Passed, is.Failed+was.Failed, is.Silent+was.Silent
	}
	s.saved = was
}

// known is the answer that a pass may decide by. A verdict from before this process waits for the next answer, which may be another.
func (s *subject) known() promotion.Checked {
	is := s.checked
	if s.answered.IsZero() {
		is.Verdict, is.Message, is.Opens, is.Silent = "", "", "", 0
	}
	return is
}

// save has the answers remembered where that became worth it: with each one that decides, and with each tenth of a time that somebody waits for.
func (s *subject) save(m Memory, of Topic, c *inquiry.Check, decides bool) {
	if m == nil {
		return
	}
	is, was := s.checked, s.saved
	grew := tenth(is.Passed, was.Passed, c.For) || tenth(is.Failed, was.Failed, c.For) || tenth(is.Silent, was.Silent, c.Patience)
	if !decides && !grew {
		return
	}
	if m.Remember(of, is) {
		s.saved, s.remembered = is, true
	}
}

// tenth reports whether a time grew by a tenth of one that is waited for. One that suffices is not followed any further.
func tenth(is, was, wanted time.Duration) bool {
	return is < was || was < wanted && is-was >= wanted/10
}
