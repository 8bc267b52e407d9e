package reconciler

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPassesThatAreExpectedAreUnderWay until the first of them has ended, whose age is its own.
func TestPassesThatAreExpectedAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u underWay
		_, over := u.now()
		require.Nil(t, over)
		u.expect()
		time.Sleep(time.Second)
		u.expect()
		age, over := u.now()
		require.Equal(t, time.Second, age)
		u.begin()
		age, same := u.now()
		require.Zero(t, age)
		require.Equal(t, over, same, "whoever waits for the expected pass waits for its end")
		u.begin()
		u.expect()
		u.end()
		_, same = u.now()
		require.Equal(t, over, same, "another one is under way")
		u.end()
		<-over
		_, over = u.now()
		require.Nil(t, over)
		u.begin()
		u.end()
		_, over = u.now()
		require.Nil(t, over)
	})
}
