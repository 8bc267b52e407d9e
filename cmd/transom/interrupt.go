package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// untilInterrupted is the annotation of commands that run until a signal ends them, which is no error of theirs.
const untilInterrupted = "transom.dev/until-interrupted"

// endingTime is how long an interrupted command has to come to an end by itself.
const endingTime = 2 * time.Second

// interruptible has the commands below one end with an error after an interruption, whatever they make of it, so that nobody takes for
// a success where something was never looked at. A command that only computes does not see the interruption: it is left to itself after
// some time, and ends with the process.
func interruptible(parent *cobra.Command, most time.Duration) {
	for _, cmd := range parent.Commands() {
		interruptible(cmd, most)
		run := cmd.RunE
		if run == nil || cmd.Annotations[untilInterrupted] != "" {
			continue
		}
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if watch := cmd.Flags().Lookup("watch"); watch != nil && watch.Value.String() == "true" {
				return run(cmd, args)
			}
			return runInterruptibly(cmd, most, func() error { return run(cmd, args) })
		}
	}
}

// runInterruptibly runs a command until it ends, and only so much longer than its context.
func runInterruptibly(cmd *cobra.Command, most time.Duration, run func() error) error {
	ctx := cmd.Context()
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	select {
	case err := <-ended:
		return interruption(ctx, cmd, err)
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return interruption(ctx, cmd, err)
	case <-time.After(most):
		return interruption(ctx, cmd, nil)
	}
}

// interruption is the error of a command that ended with one, or that was interrupted.
func interruption(ctx context.Context, cmd *cobra.Command, err error) error {
	if err != nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%s was interrupted (%w), so it may not have looked at everything; run it again", cmd.CommandPath(), context.Cause(ctx))
}
