package check_test

import (
	"context"
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
