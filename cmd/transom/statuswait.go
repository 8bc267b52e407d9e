package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
)

// pollEvery is how often a waiting command asks; each answer is a few hundred bytes.
const pollEvery = 300 * time.Millisecond

// failureLasts is how long a cluster may show a failure before the failure counts as lasting. A pod that restarts once, or a
// controller that started before its dependencies, takes less.
const failureLasts = 15 * time.Second

// verdict is how waiting ended: the last progress, and the outcome in words.
type verdict struct {
	status.Progress
	Seconds float64 `json:"seconds"`
	Reason  string  `json:"reason,omitempty"` // why it is not done
}

// follow asks for the progress of a commit until the commit is live and healthy, a failure lasts, or time is up.
func (o *statusOptions) follow(cmd *cobra.Command, team, request string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	about := client.Selection{Team: team, Request: request, Environment: o.environment, Commit: o.commit}
	screen := terminal.NewScreen(cmd.ErrOrStderr())
	w := waiting{started: time.Now(), tell: func(line string) { screen.Show(line) }}
	if request != "" {
		w.named = team + "/" + request
	}
	err := w.until(ctx, func(ctx context.Context) (status.Progress, error) { return o.client.Progress(ctx, about) })
	screen.End()
	if err != nil {
		return err
	}
	result := verdict{Progress: w.last, Seconds: time.Since(w.started).Seconds(), Reason: w.reason}
	if err := o.output.print(cmd.OutOrStdout(), result, result.text(terminal.PaintFor(cmd.OutOrStdout()))); err != nil {
		return err
	}
	if !w.done {
		return unwell
	}
	return nil
}

// waiting has the facts that are remembered from one answer to the next.
type waiting struct {
	started time.Time
	named   string // TEAM/REQUEST, if one is waited for
	tell    func(string)

	last        status.Progress
	seen        bool      // an instance was there, so that its absence is a removal and no misspelling
	failedSince time.Time // how long clusters have shown a failure without a break
	awaySince   time.Time // how long the daemon has not answered
	done        bool
	reason      string
}

// until asks for the progress until the wait has ended. An error says that nothing is known of the commit.
func (w *waiting) until(ctx context.Context, ask func(context.Context) (status.Progress, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		p, err := ask(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if w.isSilent(time.Now()) {
				return err
			}
		case w.takeAnswer(p, time.Now()):
			return nil
		}
		select {
		case <-ctx.Done():
			return w.timeUp(ctx)
		case <-tick.C:
		}
	}
}

// isSilent says whether the daemon has been silent for too long. Before its first answer one failure is enough: there may be no
// daemon.
func (w *waiting) isSilent(now time.Time) bool {
	if w.last.Environment == "" {
		return true
	}
	if w.awaySince.IsZero() {
		w.awaySince = now
	}
	w.tell("the daemon does not answer")
	return now.Sub(w.awaySince) > failureLasts
}

// takeAnswer takes an answer and says whether it ends the wait.
func (w *waiting) takeAnswer(p status.Progress, now time.Time) bool {
	w.last, w.awaySince = p, time.Time{}
	w.tell(summary(p))
	if !p.Reconciled {
		return w.frozen(p.Frozen, now)
	}
	if w.named != "" && p.Instances == 0 {
		if w.done = w.seen; !w.done {
			w.reason = fmt.Sprintf("%s has no request %s at commit %s", p.Environment, w.named, terminal.Short(p.Head))
		}
		return true
	}
	w.seen = w.seen || p.Instances > 0
	if w.done = p.Done; w.done {
		return true
	}
	return w.failed(p, now)
}

// failed says whether a person must mend something: at once where the platform has a Problem, as it cannot go away by
// itself, and after a while where a cluster shows a failure.
func (w *waiting) failed(p status.Progress, now time.Time) bool {
	if len(p.Failed) == 0 {
		w.failedSince = time.Time{}
		return false
	}
	if w.failedSince.IsZero() {
		w.failedSince = now
	}
	w.reason = "a person has to mend it"
	for _, r := range p.Failed {
		if r.Cluster == "" {
			return true
		}
	}
	if now.Sub(w.failedSince) > failureLasts {
		return true
	}
	w.reason = ""
	return false
}

// frozen says whether the platform's head has not been followed for a while without a break: a signed commit may be on its way.
func (w *waiting) frozen(why string, now time.Time) bool {
	if why == "" {
		w.failedSince = time.Time{}
		return false
	}
	if w.failedSince.IsZero() {
		w.failedSince = now
	}
	if now.Sub(w.failedSince) <= failureLasts {
		return false
	}
	w.reason = why
	return true
}

// timeUp ends the wait; an error says that it was interrupted, or that the daemon never answered.
func (w *waiting) timeUp(ctx context.Context) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("stopped waiting: %w", ctx.Err())
	}
	if w.last.Environment == "" {
		return errors.New("the daemon did not answer in time")
	}
	w.reason = "time is up"
	return nil
}

// summary is a progress in one line.
func summary(p status.Progress) string {
	if !p.Reconciled {
		text := p.Environment + " is not reconciled yet"
		if p.Head != "" {
			text = fmt.Sprintf("%s is at commit %s, not yet at %s", p.Environment, terminal.Short(p.Head), terminal.Short(p.Commit))
		}
		for _, list := range [][]status.Reason{p.Failed, p.Waiting} {
			if len(list) > 0 && list[0].Request == nil { // it is the environment's own
				return text + ": " + list[0].String()
			}
		}
		return text
	}
	text := fmt.Sprintf("%s: %d of %s healthy", p.Environment, p.Healthy, terminal.Count(p.Total, "placement"))
	for _, list := range [][]status.Reason{p.Failed, p.Waiting} {
		if len(list) > 0 {
			return text + "; " + list[0].String()
		}
	}
	return text
}

// text prints the verdict for people.
func (v verdict) text(p terminal.Paint) func(io.Writer) {
	return func(out io.Writer) {
		at := terminal.Short(v.Commit)
		if at == "" {
			at = terminal.Short(v.Head)
		}
		switch {
		case v.Reason == "":
			state, sign := "live and healthy", p.Green("✓")
			if len(v.Suspended) > 0 {
				state, sign = "live as asked, and suspended where it says so,", p.Yellow("‖")
			}
			fmt.Fprintf(out, "%s %s is %s at commit %s: %s, after %.1f s\n",
				sign, v.Environment, state, at, terminal.Count(v.Total, "placement"), v.Seconds)
			for _, r := range v.Suspended {
				fmt.Fprintf(out, "  %s\n", r)
			}
			return
		case !v.Reconciled:
			fmt.Fprintf(out, "%s %s: %s after %.0f s\n", p.Red("✗"), summary(v.Progress), v.Reason, v.Seconds)
			return
		default:
			fmt.Fprintf(out, "%s %s is not healthy at commit %s: %s; %d of %s healthy after %.0f s\n",
				p.Red("✗"), v.Environment, at, v.Reason, v.Healthy, terminal.Count(v.Total, "placement"), v.Seconds)
		}
		for _, r := range v.Failed {
			fmt.Fprintf(out, "  %s\n", r)
		}
		for _, r := range v.Waiting {
			fmt.Fprintf(out, "  %s\n", r)
		}
	}
}
