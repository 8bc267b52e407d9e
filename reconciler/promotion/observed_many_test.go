package promotion_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// flock makes a claim one of many that are like it, and returns their keys.
func (c *claim) flock(n int) map[platform.RequestKey]int {
	all := map[platform.RequestKey]int{key("db"): 0}
	for i := 1; i < n; i++ {
		name := fmt.Sprintf("db%d", i)
		r := c.record().Clone()
		r.Key, r.Digest = key(name), strings.Replace(r.Digest, "db:", name+":", 1)
		for cluster, placed := range r.Clusters {
			placed.Revision = strings.TrimSuffix(placed.Revision, "db") + name
			placed.RenderKey = strings.TrimSuffix(placed.RenderKey, "db") + name
			r.Clusters[cluster] = placed
		}
		all[r.Key], c.requests[r.Key], c.stages["dev"].releases[r.Key] = i, c.requests[key("db")], r
	}
	c.merge("many claims")
	return all
}

// commits counts the passes, of six in each minute, that record something, where the claims have a value after another from now on: as many seconds
// each, and every one at another time.
func (c *claim) commits(all map[platform.RequestKey]int, from time.Time, minutes, seconds int) (commits []int) {
	told := map[platform.RequestKey]bool{}
	for k := range all {
		told[k] = true
	}
	commits = make([]int, minutes)
	for second := 0; second < 60*minutes; second += 10 {
		v := c.view("dev")
		v.Now, v.Memory, v.Told = promotion.Clock{Wall: from.Add(time.Duration(second) * time.Second)}, &c.memory, told
		v.Observe = func(environment string, k platform.RequestKey, cluster string) promotion.Observation {
			n := second + all[k]
			return promotion.Observation{
				Revision: c.stages[environment].releases[k].Clusters[cluster].Observed(), Health: state.Healthy, Soaked: time.Hour,
				Told: map[string]promotion.Told{"endpoint": {Value: fmt.Sprint("v", n/seconds), Stood: time.Duration(n%seconds) * time.Second}},
			}
		}
		choice := v.Choose()
		if len(choice.Records) > 0 {
			commits[second/60]++
		}
		for k, r := range choice.Records {
			c.stages["dev"].releases[k] = r
		}
	}
	return commits
}

// TestManyChangingValuesMakeACommitAMinute at most, after the first one, however many there are; those that change each second make none.
// It keeps R114.
func TestManyChangingValuesMakeACommitAMinute(t *testing.T) {
	c := newClaim(t)
	all := c.flock(10_000)
	commits := c.commits(all, began.Add(2*time.Hour), 4, 40)
	require.Positive(t, commits[0])
	for minute, n := range commits {
		require.True(t, minute < 1 || n <= 1, "%v", commits)
	}
	recorded := 0
	for k := range all {
		if len(c.stages["dev"].releases[k].Observed) > 0 {
			recorded++
		}
	}
	require.Equal(t, len(all), recorded)
	require.Equal(t, make([]int, 1), c.commits(all, began.Add(9*time.Hour), 1, 1), "a value has to stand first")
}
