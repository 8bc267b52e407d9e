package notify

import "context"

// Sender makes attempts, as a queue does.
func Sender() func(context.Context, Target, *Message) error { return newSender().send }
