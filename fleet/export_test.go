package fleet

import (
	"context"

	"transom.dev/fleet/apply"
)

// Member is the interface that a fake implements.
type Member = member

// DialWith makes a fleet reach its clusters by a fake.
func DialWith(f *Fleet, dial func(ctx context.Context, cluster string, event func(apply.Owner), unreachable func()) (Member, error)) {
	f.dial = func(ctx context.Context, cluster string, tell events) (member, error) {
		return dial(ctx, cluster, tell.instance, tell.unreachable)
	}
}
