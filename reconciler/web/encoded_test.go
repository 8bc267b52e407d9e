package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// TestAnEventIsEncodedOnceForAllWhoSeeTheSame, and those who selected others get theirs.
func TestAnEventIsEncodedOnceForAllWhoSeeTheSame(t *testing.T) {
	b := board()
	encoded := web.NewEncodedEvents()
	b.Lost("prod", shop, "east", "no answer")
	part := func(team string) (text string) {
		text, more := encoded(b.History(), team)
		require.False(t, more)
		return text
	}
	all, store, search := part(""), part("store"), part("search")
	require.Equal(t, len(b.History()), strings.Count(all, "event: event\n"))
	require.Contains(t, store, "no answer")
	require.NotContains(t, search, "no answer")
	require.Zero(t, testing.AllocsPerRun(10, func() {
		part("")
		part("store")
		part("search")
	}), "nothing is encoded again")

	b.Lost("prod", shop, "east", "no answer again")
	require.Contains(t, part(""), "no answer again", "a part is of the history that is asked for")
	require.Contains(t, part("store"), "no answer again")
	require.NotContains(t, part("search"), "no answer")
}

// TestManyViewsAreBoundedInMemory: whoever asks for ever other events takes no more memory than all of them may have.
func TestManyViewsAreBoundedInMemory(t *testing.T) {
	b := status.NewBoard(clock())
	for i := range 100 {
		b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Message: fmt.Sprint("message ", i, strings.Repeat(".", 100))})
	}
	encoded := web.NewEncodedEvents()
	history := b.History()
	before := inUse()
	for i := range 3000 {
		text, _ := encoded(history, fmt.Sprint("team-", i))
		require.NotEmpty(t, text)
	}
	require.Less(t, int64(inUse())-int64(before), int64(16<<20), "3,000 parts of 16 kB")
	before = inUse()
	for i := range 40_000 {
		encoded(nil, fmt.Sprint("team-", i))
	}
	require.Less(t, int64(inUse())-int64(before), int64(6<<20), "parts without an event")
	text, _ := encoded(history, "")
	require.Contains(t, text, "message 0.")
}
