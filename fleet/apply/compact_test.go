package apply_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

func TestAnIdentityIsItsUID(t *testing.T) {
	for _, uid := range []string{
		"", "8f0a3c1e-77f2-4e0d-9c55-0123456789ab", "8F0A3C1E-77f2-4e0d-9c55-0123456789ab", "8f0a3c1e77f24e0d9c550123456789ab",
		"8f0a3c1e-77f2-4e0d-9c55-0123456789ab0", "8f0a3c1e7-7f2-4e0d-9c55-0123456789ab", "00000000-0000-0000-0000-000000000000",
		"8f0a3c1e-77f2-4e0d-9c55-0123456789ag", "1", "-", "ägg",
	} {
		require.Equal(t, uid, apply.IdentityOf(uid), "%q", uid)
	}
	require.False(t, apply.SameIdentity("8f0a3c1e-77f2-4e0d-9c55-0123456789ab", "8f0a3c1e77f24e0d9c550123456789ab"))
	require.False(t, apply.SameIdentity("", "00000000-0000-0000-0000-000000000000"))
	require.True(t, apply.SameIdentity("of another kind", "of another kind"))
}

func TestTimesAreKeptAsTheyAre(t *testing.T) {
	for _, at := range []time.Time{{}, time.Now(), time.Now().Add(-time.Hour), time.Unix(1_700_000_000, 5), time.Unix(-3, 0)} {
		byServer, byUs := apply.KeptTimes(at)
		require.True(t, at.Equal(byServer), "%s, not %s", byServer, at)
		require.True(t, at.Equal(byUs), "%s, not %s", byUs, at)
		require.Equal(t, at.IsZero(), byServer.IsZero())
		require.Equal(t, at.IsZero(), byUs.IsZero())
	}
}

// TestWatchedObjectsAreSmall bounds the bytes of an object that a watch has, of which there are a hundred thousand where there are very many
// clusters.
func TestWatchedObjectsAreSmall(t *testing.T) {
	require.LessOrEqual(t, apply.WatchedBytes, uintptr(192))
}
