package check_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// jobsOf is a check by Jobs.
func jobsOf(name string) *inquiry.Check {
	return &inquiry.Check{Name: name, Job: "checks/smoke", Every: 10 * time.Second, Timeout: time.Minute}
}

// beside is a subject of a check by Jobs with a run.
func beside(c *inquiry.Check, release, run string) promotion.CheckSubject {
	s := subject(c, "shop", release)
	s.Run = run
	return s
}

// TestARunThatEndedIsTrueOfItsRelease: what can run nowhere any more is not run again, and its last answer stands; another run begins anew.
func TestARunThatEndedIsTrueOfItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ran := map[string]int{}
		a, _ := runAsker(t, func(context.Context, *inquiry.Check, inquiry.Text) check.Answer { panic("no party is asked") })
		a.Jobs = func(_ context.Context, _ *inquiry.Check, q inquiry.Text) check.Answer {
			mu.Lock()
			defer mu.Unlock()
			ran[q.Run]++
			return check.Answer{Verdict: promotion.Passes, Message: "passed on " + q.Run}
		}
		c := jobsOf("smoke")
		nowhere := promotion.Checked{Message: "no cluster of the environments before runs the release now", Opens: "a release that they run"}
		require.Equal(t, nowhere, read(a, "prod", beside(c, "r1", ""))[0])
		read(a, "prod", beside(c, "r1", "a"))
		wait(25 * time.Second)
		is := read(a, "prod", beside(c, "r1", ""))[0]
		require.Equal(t, promotion.Passes, is.Verdict)
		require.Equal(t, "passed on a", is.Message)
		require.Equal(t, 3, ran["a"])
		wait(time.Minute)
		require.Equal(t, is, read(a, "prod", beside(c, "r1", ""))[0])
		require.Equal(t, 3, ran["a"], "it is not run any more")

		require.Equal(t, promotion.Checked{}, read(a, "prod", beside(c, "r1", "b"))[0], "another revision is another question")
		wait(time.Second)
		require.Equal(t, "passed on b", read(a, "prod", beside(c, "r1", "b"))[0].Message)
		read(a, "prod")
		require.Equal(t, nowhere, read(a, "prod", beside(c, "r1", ""))[0], "what nobody asks for is forgotten")
	})
}

// TestJobsThatHangDelayTheirOwnReleaseAlone: many run at a time, and each ends by its deadline.
func TestJobsThatHangDelayTheirOwnReleaseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := runAsker(t, nil)
		c := jobsOf("smoke")
		a.Jobs = func(ctx context.Context, _ *inquiry.Check, q inquiry.Text) check.Answer {
			if q.Run != "well" {
				select {
				case <-ctx.Done():
				case <-time.After(c.Timeout):
				}
				return check.Answer{Message: "has not ended"}
			}
			return check.Answer{Verdict: promotion.Passes}
		}
		all := []promotion.CheckSubject{}
		for i := range 20 {
			all = append(all, beside(c, "r"+string(rune('a'+i)), "hangs"+string(rune('a'+i))))
		}
		all = append(all, beside(c, "well", "well"))
		read(a, "prod", all...)
		wait(time.Second)
		require.Equal(t, promotion.Passes, read(a, "prod", all...)[20].Verdict)
		require.Empty(t, read(a, "prod", all...)[0].Verdict)
	})
}

// TestARunThatIsBackIsAskedAgain, as of a cluster that was paused for a while: its last answer is not the last word.
func TestARunThatIsBackIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{}
		p.say(promotion.Fails, "too slow")
		a, _ := runAsker(t, nil)
		a.Jobs = p.ask
		c := jobsOf("smoke")
		read(a, "prod", beside(c, "r1", "a"))
		wait(time.Second)
		require.Equal(t, promotion.Fails, read(a, "prod", beside(c, "r1", ""))[0].Verdict)
		wait(time.Minute)
		p.say(promotion.Passes, "passed")
		require.Equal(t, promotion.Fails, read(a, "prod", beside(c, "r1", "a"))[0].Verdict)
		wait(time.Second)
		require.Equal(t, promotion.Passes, read(a, "prod", beside(c, "r1", "a"))[0].Verdict)
	})
}

// TestARunThatCameTooLateTakesNothingBack: a release that passed has passed, where the environment before moved on while its Job ran again.
func TestARunThatCameTooLateTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		answers := []check.Answer{{Message: "is gone", Gone: true}, {Verdict: promotion.Passes}, {Message: "is gone", Gone: true}, {Message: "exceeded quota"}}
		a, _ := runAsker(t, nil)
		a.Jobs = func(context.Context, *inquiry.Check, inquiry.Text) check.Answer {
			mu.Lock()
			defer mu.Unlock()
			answer := answers[0]
			answers = answers[1:]
			return answer
		}
		c := jobsOf("smoke")
		s := beside(c, "r1", "a")
		read(a, "prod", s)
		wait(time.Second)
		require.Equal(t, "is gone", read(a, "prod", s)[0].Message, "nothing else is known")
		wait(c.Every)
		require.Equal(t, promotion.Passes, read(a, "prod", s)[0].Verdict)
		wait(c.Every)
		require.Equal(t, promotion.Passes, read(a, "prod", s)[0].Verdict)
		wait(c.Every)
		require.Empty(t, read(a, "prod", s)[0].Verdict, "no answer is none")
		read(a, "prod")
	})
}

// TestARunOfManyClustersIsRemembered: an inventory has no room for what names each of them.
func TestARunOfManyClustersIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := inquiry.Run{Asker: "prod", Check: "smoke"}
		for n := range 500 {
			run.Placements = append(run.Placements, inquiry.Placement{Environment: "staging", Cluster: "cluster-" + strconv.Itoa(n), Revision: strings.Repeat("f", 64)})
		}
		p, n := &party{}, &notebook{entries: map[check.Topic]promotion.Checked{}}
		p.say(promotion.Passes, "passed")
		asker := func() *check.Asker {
			a, _ := runAsker(t, nil)
			a.Jobs, a.Memory = p.ask, n
			return a
		}
		c := jobsOf("smoke")
		c.For = 10 * time.Second
		s := beside(c, "r1", run.String())
		a := asker()
		read(a, "prod", s)
		wait(time.Second)
		read(a, "prod", s)
		require.Len(t, n.all(), 1)
		for topic := range n.all() {
			require.Len(t, topic.Question.Run, 64)
		}
		wait(c.Every)
		require.Equal(t, 10*time.Second, read(a, "prod", s)[0].Passed)
		b := asker()
		read(b, "prod", s)
		wait(time.Second)
		require.True(t, read(b, "prod", s)[0].Suffices(c), "another process goes on from there")
		run.Placements[499].Revision = "another"
		read(b, "prod", beside(c, "r1", run.String()))
		wait(time.Second)
		require.False(t, read(b, "prod", beside(c, "r1", run.String()))[0].Suffices(c), "another run is another question")
	})
}
