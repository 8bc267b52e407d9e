package check

import (
	"context"
	"slices"
	"sync"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/expression"
	"transom.dev/render/inquiry"
)

// The bounds of asking.
const (
	atOnce      = 4                // questions of one check that are under way
	jobsAtOnce  = 32               // the same of a check by Jobs, which other teams' Jobs must not delay
	maxSubjects = 10_000           // of one check
	soonest     = time.Second      // from one question to the same again
	newsEvery   = 10 * time.Second // from one news of a figure to the next
)

// An Asker asks the questions of all environments, and keeps the answers. All fields but News, Asked, Jobs and Memory are required.
type Asker struct {
	Ask   func(ctx context.Context, of *inquiry.Check, q inquiry.Text) Answer
	Now   func() time.Time
	News  func(environment string)                                            // an answer may matter to a decision
	Asked func(environment, check string, answer Answer, took time.Duration)  // a question was asked
	Jobs  func(ctx context.Context, of *inquiry.Check, q inquiry.Text) Answer // as Ask, of checks by Jobs; nil: no Job is run

	Memory Memory // of answers beyond the process; nil: there is none

	mu      sync.Mutex
	parties map[partyKey]*party
	wake    chan struct{} // one pending at most: a question may be due
	told    map[string]time.Time
	news    map[string]int // by environment
	rounds  int
}

type partyKey struct{ environment, check string }

// A party is the other side of one check of an environment.
type party struct {
	check     *inquiry.Check
	questions map[inquiry.Text]*asked
	subjects  map[promotion.CheckKey]*subject
	running   int // questions under way
}

// An asked question is so for all subjects for which the check, filled in, is the same.
type asked struct {
	subjects map[promotion.CheckKey]*subject
	last     time.Time // that it was asked; zero: never
	due      time.Time
	running  bool
}

// A subject is a release that somebody waits for, and the answers that were about it.
type subject struct {
	began    time.Time // answers to questions from before say nothing about it
	text     inquiry.Text
	checked  promotion.Checked
	answered time.Time // last
	round    int       // of the pass that asked for it last

	saved      promotion.Checked // as the Memory knows it
	remembered bool              // by the Memory, from this process or an earlier one
}

// A Round is one pass over an environment, which reads the answers. Subjects that it does not ask for are forgotten when it ends.
type Round struct {
	asker       *Asker
	environment string
	number      int
	most        expression.Allowance                         // of a question about a release that is new
	read        map[promotion.CheckSubject]promotion.Checked // an answer stays the same all through a pass
}

// takenTimes is how many times as much a question may cost about a release that runs.
const takenTimes = 10

// Begin begins a Round, in which a question about a release that is new to the environment may cost so much.
func (a *Asker) Begin(environment string, most expression.Allowance) *Round {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prepare()
	a.rounds++
	return &Round{a, environment, a.rounds, most, map[promotion.CheckSubject]promotion.Checked{}}
}

func (a *Asker) prepare() {
	if a.parties == nil {
		a.parties, a.told, a.news, a.wake = map[partyKey]*party{}, map[string]time.Time{}, map[string]int{}, make(chan struct{}, 1)
	}
}

// Check returns the last answer to a check about a subject, and has it asked. The variables are those of the check.
func (r *Round) Check(of promotion.CheckSubject, vars map[string]any) promotion.Checked {
	is, known := r.read[of]
	if !known {
		is = r.answer(of, vars)
		r.read[of] = is
	}
	return is
}

func (r *Round) answer(of promotion.CheckSubject, vars map[string]any) promotion.Checked {
	a := r.asker
	most := r.most
	if of.Cluster != "" {
		most = most.Times(takenTimes)
	}
	q, err := of.Check.Fill(vars, &expression.Tally{Most: most})
	q.Run = of.Run
	if err != nil {
		return promotion.Checked{Message: err.Error(), Opens: "a mend of the check in the file of environment " + r.environment}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := partyKey{r.environment, of.Check.Name}
	p := a.parties[key]
	if p == nil {
		p = &party{questions: map[inquiry.Text]*asked{}, subjects: map[promotion.CheckKey]*subject{}}
		a.parties[key] = p
	}
	p.check = of.Check
	s := p.subjects[of.Key()]
	if q == (inquiry.Text{}) {
		return r.stands(p, of.Key(), s)
	}
	if s != nil && s.text != q { // the check was changed meanwhile
		a.forget(key, p, of.Key())
		s = nil
	}
	if s == nil {
		if len(p.subjects) >= maxSubjects {
			return promotion.Checked{Message: "too many releases wait for it; its turn comes"}
		}
		s = &subject{began: a.Now(), text: q}
		p.subjects[of.Key()] = s
	}
	a.join(p, of.Key(), s)
	s.round = r.number
	s.recall(a.Memory, key.topic(of.Key(), s), of.Check)
	return s.known()
}

// stands returns the last answer about a subject whose Jobs can run nowhere any more, as where the environments before have moved on to
// another release. It is true of the release still, and nobody is asked again. The caller holds the lock.
func (r *Round) stands(p *party, key promotion.CheckKey, s *subject) promotion.Checked {
	if s != nil {
		s.round = r.number
		p.leave(key, s)
	}
	if s == nil || s.answered.IsZero() {
		return promotion.Checked{Message: "no cluster of the environments before runs the release now", Opens: "a release that they run"}
	}
	return s.known()
}

// join has the question of a subject asked for it soon, unless it is asked already. The caller holds the lock.
func (a *Asker) join(p *party, key promotion.CheckKey, s *subject) {
	joined := p.questions[s.text]
	if joined == nil {
		joined = &asked{subjects: map[promotion.CheckKey]*subject{}, due: a.Now()}
		p.questions[s.text] = joined
	}
	if joined.subjects[key] == s {
		return
	}
	if again := joined.last.Add(soonest); !joined.last.IsZero() && again.Before(joined.due) {
		joined.due = again
	}
	joined.subjects[key] = s
	a.signal()
}

// forget drops a subject for which nobody waits any more. The caller holds the lock.
func (a *Asker) forget(at partyKey, p *party, key promotion.CheckKey) {
	if s := p.subjects[key]; s.remembered {
		a.Memory.Remember(at.topic(key, s), promotion.Checked{})
	}
	p.drop(key)
}

func (p *party) drop(key promotion.CheckKey) {
	s := p.subjects[key]
	delete(p.subjects, key)
	p.leave(key, s)
}

// leave has the question of a subject not asked for it any more.
func (p *party) leave(key promotion.CheckKey, s *subject) {
	of := p.questions[s.text]
	if of == nil {
		return
	}
	if delete(of.subjects, key); len(of.subjects) == 0 && !of.running {
		delete(p.questions, s.text)
	}
}

// mayAsk reports whether one more question may be under way.
func (p *party) mayAsk() bool {
	if p.check.Job != "" {
		return p.running < jobsAtOnce
	}
	return p.running < atOnce
}

// End forgets the subjects that were not asked for.
func (r *Round) End() {
	a := r.asker
	a.mu.Lock()
	defer a.mu.Unlock()
	for at, p := range a.parties {
		if at.environment != r.environment {
			continue
		}
		for key, s := range p.subjects {
			if s.round != r.number {
				a.forget(at, p, key)
			}
		}
		if len(p.subjects) == 0 && p.running == 0 {
			delete(a.parties, at)
		}
	}
}

// NewsOf counts how often an answer changed in an environment that may matter to a decision.
func (a *Asker) NewsOf(environment string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.news[environment]
}

func (a *Asker) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx is done, and returns when all questions have ended.
func (a *Asker) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	a.mu.Lock()
	a.prepare()
	a.mu.Unlock()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(a.dispatch(ctx, &running))
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// A due is a question whose time has come.
type due struct {
	at    partyKey
	party *party
	text  inquiry.Text
	*asked
}

// dispatch asks the questions that are due, those first that have waited longest, and returns the time until the next one is.
func (a *Asker) dispatch(ctx context.Context, running *sync.WaitGroup) (rest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.Now()
	rest = time.Minute
	var list []due
	for at, p := range a.parties {
		for text, q := range p.questions {
			switch {
			case q.running:
			case q.due.After(now):
				rest = min(rest, q.due.Sub(now))
			default:
				list = append(list, due{at, p, text, q})
			}
		}
	}
	slices.SortFunc(list, func(a, b due) int { return a.due.Compare(b.due) })
	for _, d := range list {
		if d.party.mayAsk() {
			d.party.running++
			d.running, d.last = true, now
			check := d.party.check
			running.Go(func() { a.ask(ctx, d, check) })
		}
	}
	return rest
}

// ask asks one question and takes the answer.
func (a *Asker) ask(ctx context.Context, d due, check *inquiry.Check) {
	began := a.Now()
	answer := a.asks(check)(ctx, check, d.text)
	now := a.Now()
	if ctx.Err() != nil { // it is the end of asking that cut the answer short
		return
	}
	if a.Asked != nil {
		a.Asked(d.at.environment, d.at.check, answer, now.Sub(began))
	}
	if a.take(d, answer, now) && a.News != nil {
		a.News(d.at.environment)
	}
	a.signal()
}

// asks is the function that asks a check.
func (a *Asker) asks(check *inquiry.Check) func(context.Context, *inquiry.Check, inquiry.Text) Answer {
	switch {
	case check.Job == "":
		return a.Ask
	case a.Jobs == nil:
		return func(context.Context, *inquiry.Check, inquiry.Text) Answer {
			return Answer{Message: "no Job is run here"}
		}
	}
	return a.Jobs
}

// take takes an answer, and reports whether it is news.
func (a *Asker) take(d due, answer Answer, now time.Time) (news bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.party.running--
	d.running, d.due = false, now.Add(d.party.check.Every)
	if len(d.subjects) == 0 {
		delete(d.party.questions, d.text)
	}
	figure := false
	for key, s := range d.subjects {
		if s.began.After(d.last) {
			d.due = now
			continue
		}
		if answer.Gone && s.checked.Verdict != "" {
			continue
		}
		decides, differs := s.take(answer, now, d.party.check)
		s.save(a.Memory, d.at.topic(key, s), d.party.check, decides)
		news, figure = news || decides, figure || differs
	}
	environment := d.at.environment
	if figure && now.Sub(a.told[environment]) >= newsEvery {
		news = true
	}
	if news {
		a.news[environment]++
		a.told[environment] = now
	}
	return news
}

// take takes an answer about a subject. It reports whether the answer may change a decision, and whether people would be shown
// something else.
func (s *subject) take(answer Answer, now time.Time, c *inquiry.Check) (decides, differs bool) {
	was := s.checked
	is := &s.checked
	if answer.Verdict != was.Verdict || was.Since.IsZero() {
		is.Since = now.Round(0).UTC().Truncate(time.Second)
	}
	is.Verdict, is.Message, is.Opens = answer.Verdict, answer.Message, answer.Opens
	first := s.answered.IsZero()
	if first {
		s.answered = s.began
	}
	elapsed := now.Sub(s.answered)
	stays := !first && answer.Verdict == was.Verdict && elapsed <= 2*c.Every+c.Timeout
	switch {
	case answer.Verdict == "" && answer.Opens == "":
		is.Silent += elapsed
	case answer.Verdict == promotion.Passes:
		if is.Failed = 0; stays {
			is.Passed += elapsed
		}
	case answer.Verdict == promotion.Fails:
		if is.Passed = 0; stays {
			is.Failed += elapsed
		}
	}
	s.answered = now
	decides = is.Verdict != was.Verdict || is.Suffices(c) != was.Suffices(c) || is.FailsRollout(c) != was.FailsRollout(c)
	return decides, is.Message != was.Message || is.Passed != was.Passed || is.Failed != was.Failed || is.Silent != was.Silent
}
