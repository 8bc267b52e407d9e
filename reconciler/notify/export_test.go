package notify

import "context"

// Sender makes attempts for one target, as a queue does.
func Sender() func(context.Context, Target, *Message) error { return new(sender).send }
