package check_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/expression"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
)

// checkOf is a check of an HTTP service.
func checkOf(t *testing.T, name, address string) *inquiry.Check {
	t.Helper()
	names := expression.NewScope()
	names.Declare("team", expression.String)
	u, err := expression.CompileTemplate(address, names)
	require.NoError(t, err)
	return &inquiry.Check{Name: name, URL: u, Every: 10 * time.Second, For: 30 * time.Second, Timeout: 5 * time.Second}
}

func subject(c *inquiry.Check, team, release string) promotion.CheckSubject {
	return promotion.CheckSubject{Check: c, Of: promotion.ReleaseRef{Key: platform.RequestKey{Team: team, Name: "web"}, Digest: release}}
}

// A party of a test answers as it is told, and counts.
type party struct {
	mu     sync.Mutex
	answer check.Answer
	asked  map[string]int
}

func (p *party) ask(_ context.Context, _ *inquiry.Check, q inquiry.Text) check.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = map[string]int{}
	}
	p.asked[q.URL]++
	return p.answer
}

func (p *party) say(verdict promotion.Verdict, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = check.Answer{Verdict: verdict, Message: message}
}

// runAsker runs an asker for as long as the test.
func runAsker(t *testing.T, ask func(context.Context, *inquiry.Check, inquiry.Text) check.Answer) (a *check.Asker, news map[string]int) {
	t.Helper()
	news = map[string]int{}
	var mu sync.Mutex
	a = &check.Asker{Ask: ask, Now: time.Now, News: func(environment string) {
		mu.Lock()
		defer mu.Unlock()
		news[environment]++
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	return a, news
}

// read is a pass that asks for some subjects.
func read(a *check.Asker, environment string, of ...promotion.CheckSubject) (answers []promotion.Checked) {
	r := a.Begin(environment, expression.Allowance{Steps: 2000, Size: 64 << 10})
	defer r.End()
	for _, s := range of {
		answers = append(answers, r.Check(s, map[string]any{"team": s.Of.Key.Team}))
	}
	return answers
}

// wait lets time pass, and everything that was to happen meanwhile.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestAnAnswerCountsFromTheSubjectOn and not for what came before it; subjects with the same question share it.
func TestAnAnswerCountsFromTheSubjectOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		p.say(promotion.Passes, "whole")
		a, news := runAsker(t, p.ask)
		c := checkOf(t, "budget", "https://slo.example.com/budget")
		first, second := subject(c, "shop", "r1"), subject(c, "shop", "r2")
		require.Equal(t, promotion.Checked{}, read(a, "prod", first)[0], "a pass waits for nobody")
		wait(time.Second)
		is := read(a, "prod", first)[0]
		require.Equal(t, promotion.Passes, is.Verdict)
		require.Zero(t, is.Passed)
		wait(40 * time.Second)
		require.Equal(t, 40*time.Second, read(a, "prod", first, second)[0].Passed)
		wait(2 * time.Second)
		both := read(a, "prod", first, second)
		require.Less(t, both[1].Passed, 3*time.Second, "what was before the release is no answer about it")
		require.Equal(t, promotion.Passes, both[1].Verdict)
		require.Len(t, p.asked, 1)
		require.LessOrEqual(t, p.asked["https://slo.example.com/budget"], 7)
		require.GreaterOrEqual(t, news["prod"], 2, "a verdict, and a time that is over")
		require.Zero(t, news["dev"])
	})
}

// TestAFailureBeginsAnewAndSilenceDoesNot as with soak.
func TestAFailureBeginsAnewAndSilenceDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		p.say(promotion.Passes, "whole")
		a, _ := runAsker(t, p.ask)
		s := subject(checkOf(t, "budget", "https://slo.example.com/"), "shop", "r1")
		read(a, "prod", s)
		wait(21 * time.Second)
		require.Equal(t, 20*time.Second, read(a, "prod", s)[0].Passed)
		p.say("", "answered 503")
		wait(10 * time.Second)
		silent := read(a, "prod", s)[0]
		require.Equal(t, promotion.Checked{Message: "answered 503", Since: silent.Since, Passed: 20 * time.Second, Silent: 10 * time.Second}, silent)
		p.say(promotion.Passes, "whole")
		wait(20 * time.Second)
		require.Equal(t, 30*time.Second, read(a, "prod", s)[0].Passed, "the silence does not count")
		p.say(promotion.Fails, "used up")
		wait(10 * time.Second)
		require.Equal(t, promotion.Fails, read(a, "prod", s)[0].Verdict)
		require.Zero(t, read(a, "prod", s)[0].Passed)
	})
}

// TestAPartyThatHangsDelaysItsOwnChecksAlone and a pass does not wait for it.
func TestAPartyThatHangsDelaysItsOwnChecksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := 0
		var mu sync.Mutex
		a, _ := runAsker(t, func(ctx context.Context, c *inquiry.Check, _ inquiry.Text) check.Answer {
			if c.Name == "quick" {
				return check.Answer{Verdict: promotion.Passes}
			}
			mu.Lock()
			under++
			mu.Unlock()
			<-ctx.Done()
			return check.Answer{Message: "nothing came"}
		})
		slow, quick := checkOf(t, "slow", "https://slow.example.com/${team}"), checkOf(t, "quick", "https://quick.example.com/${team}")
		var all []promotion.CheckSubject
		for i := range 50 {
			team := fmt.Sprintf("team-%d", i)
			all = append(all, subject(slow, team, "r"), subject(quick, team, "r"))
		}
		read(a, "prod", all...)
		wait(time.Second)
		for i, is := range read(a, "prod", all...) {
			require.Equal(t, i%2 == 1, is.Verdict == promotion.Passes, "%d", i)
		}
		require.Equal(t, 4, under, "so many questions of one check are under way")
	})
}

// TestWhatNobodyWaitsForIsNotAsked any more, and its answers are forgotten.
func TestWhatNobodyWaitsForIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		p.say(promotion.Passes, "")
		a, _ := runAsker(t, p.ask)
		c := checkOf(t, "budget", "https://slo.example.com/${team}")
		shop, pay := subject(c, "shop", "r1"), subject(c, "pay", "r1")
		read(a, "prod", shop, pay)
		wait(time.Second)
		read(a, "prod", pay)
		wait(time.Minute)
		require.Equal(t, 1, p.asked["https://slo.example.com/shop"])
		require.Equal(t, 7, p.asked["https://slo.example.com/pay"])
		require.Zero(t, read(a, "prod", shop)[0].Verdict)
		read(a, "prod")
		wait(time.Hour)
		require.LessOrEqual(t, p.asked["https://slo.example.com/shop"], 2)
	})
}

// TestAChangedCheckIsAskedAnew since the answers before were to another question.
func TestAChangedCheckIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		p.say(promotion.Passes, "")
		a, _ := runAsker(t, p.ask)
		read(a, "prod", subject(checkOf(t, "budget", "https://slo.example.com/1"), "shop", "r1"))
		wait(time.Minute)
		require.Zero(t, read(a, "prod", subject(checkOf(t, "budget", "https://slo.example.com/2"), "shop", "r1"))[0].Verdict)
		wait(time.Second)
		require.Equal(t, 1, p.asked["https://slo.example.com/2"])
	})
}

// TestACheckThatCannotBeFilledInIsMendedByItsAuthor: no answer of the party could open the gate.
func TestACheckThatCannotBeFilledInIsMendedByItsAuthor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		a, _ := runAsker(t, p.ask)
		is := read(a, "prod", subject(checkOf(t, "budget", `https://slo.example.com/${string(1 / (size(team) - 4))}`), "shop", "r1"))[0]
		require.Contains(t, is.Message, "division by zero")
		require.Equal(t, "a mend of the check in the file of environment prod", is.Opens)
		require.Empty(t, p.asked)
	})
}

// TestACheckMayCostTenTimesAsMuchAboutWhatRuns: one that costs more than that is asked about nothing, and says so.
func TestACheckMayCostTenTimesAsMuchAboutWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		a, _ := runAsker(t, p.ask)
		counting := func(deep int) string {
			return "https://slo.example.com/${" + strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", deep) + `team == "shop"` + strings.Repeat(")", deep) + "}"
		}
		costly := subject(checkOf(t, "costly", counting(3)), "shop", "r1") // some 5,000 steps
		is := read(a, "prod", costly)[0]
		require.Contains(t, is.Message, "costs more than 2000 steps of CEL, as much as a check of one release may cost by how many there are; let it do less")
		require.Equal(t, "a mend of the check in the file of environment prod", is.Opens)
		require.Empty(t, p.asked)

		costly.Cluster, costly.Revision = "prod-1", "sha256:1"
		require.Empty(t, read(a, "prod", costly)[0].Message)
		wait(time.Second)
		require.Equal(t, 1, p.asked["https://slo.example.com/true"])

		worse := subject(checkOf(t, "worse", counting(4)), "shop", "r1")
		worse.Cluster, worse.Revision = "prod-1", "sha256:1"
		require.Contains(t, read(a, "prod", worse)[0].Message, "costs more than 20000 steps of CEL")
	})
}

// TestAnAnswerAboutARolloutStandsBeforeItFailsIt, silence is counted by itself, and a fault that a person has to mend is none.
func TestAnAnswerAboutARolloutStandsBeforeItFailsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		p.say(promotion.Fails, "answers 500")
		a, news := runAsker(t, p.ask)
		c := checkOf(t, "answers", "https://slo.example.com/")
		c.Patience = time.Minute
		s := subject(c, "shop", "r1")
		s.Cluster, s.Revision = "prod-1", "sha256:1"
		read(a, "prod", s)
		wait(21 * time.Second)
		is := read(a, "prod", s)[0]
		require.Equal(t, 20*time.Second, is.Failed)
		require.False(t, is.FailsRollout(c))
		p.say("", "answered 503")
		wait(30 * time.Second)
		silent := read(a, "prod", s)[0]
		require.Equal(t, 20*time.Second, silent.Failed, "the silence does not count")
		require.Equal(t, 30*time.Second, silent.Silent)
		before := news["prod"]
		p.say(promotion.Fails, "answers 500")
		wait(20 * time.Second)
		failed := read(a, "prod", s)[0]
		require.Equal(t, 30*time.Second, failed.Failed)
		require.True(t, failed.FailsRollout(c))
		require.GreaterOrEqual(t, news["prod"], before+2, "a verdict, and that it has stood")
		other := s
		other.Revision = "sha256:2"
		require.Zero(t, read(a, "prod", other)[0], "of another revision it says nothing")

		p.say("", "answered 503")
		wait(61 * time.Second)
		require.True(t, read(a, "prod", other)[0].Suffices(c), "nobody waits for ever")
		a.Ask = func(context.Context, *inquiry.Check, inquiry.Text) check.Answer {
			return check.Answer{Message: "is none of the hosts", Opens: "an operator"}
		}
		third := s
		third.Revision = "sha256:3"
		read(a, "prod", third)
		wait(10 * time.Minute)
		require.Zero(t, read(a, "prod", third)[0].Silent)
		require.False(t, read(a, "prod", third)[0].Suffices(c))
	})
}
