package apply

import (
	"time"
	"unsafe"

	"k8s.io/apimachinery/pkg/types"
)

// IdentityOf is a UID as it is read from its identity, and SameIdentity says whether two have the same.
func IdentityOf(uid string) string { return string(identityOf(types.UID(uid)).UID()) }

func SameIdentity(one, two string) bool {
	return identityOf(types.UID(one)) == identityOf(types.UID(two))
}

// KeptTimes is a time as it is kept of an API server's clock, and of ours.
func KeptTimes(t time.Time) (byServer, byUs time.Time) {
	return serverTimeOf(t).time(), ownTimeOf(t).time()
}

// WatchedBytes are those of a watched object, without what it shares with others.
const WatchedBytes = unsafe.Sizeof(live{})
