package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

// lookEvery is the time between two questions for the status.
const lookEvery = 150 * time.Millisecond

// glanceEvery is the time between two printed lines where lines cannot be redrawn.
const glanceEvery = 5 * time.Second

// converge shows how everything becomes healthy, and returns once it is: every instance of the platform, in every
// environment, on every cluster. One that is suspended because its request says so is where it was asked to be.
func (d *Demo) converge(ctx context.Context) error {
	since, shown := time.Now(), time.Now()
	total, suspended := 0, ""
	for _, want := range d.expected() {
		total += want
	}
	err := d.until(ctx, func(ctx context.Context) error {
		s, err := d.client.Status(ctx, client.Selection{})
		if err != nil {
			return err
		}
		lines, missing := d.progress(s)
		suspended = asAsked(s)
		if d.screen.Live || time.Since(shown) > glanceEvery {
			d.screen.Show(lines...)
			shown = time.Now()
		}
		return missing
	})
	if err != nil {
		return fmt.Errorf("become healthy: %w", err)
	}
	d.took(since, "healthy: %s of %s in %s on %s%s", terminal.Count(total, "placement"), terminal.Count(d.platform.CountRequests(), "request"),
		terminal.Count(len(d.platform.Environments), "environment"), terminal.Count(len(d.platform.Clusters), "cluster"), suspended)
	return nil
}

// asAsked names the instances that are suspended, as their requests ask.
func asAsked(s status.Status) (text string) {
	for _, in := range s.Instances {
		if slices.ContainsFunc(in.Placements, func(p status.Placement) bool { return p.Health == state.Suspended }) {
			text += fmt.Sprintf("; %s in %s is suspended, as it asks", in.Request, in.Environment)
		}
	}
	return text
}

// expected is how many placements each environment is to have.
func (d *Demo) expected() map[string]int {
	want := map[string]int{}
	for _, name := range workspace.Environments(d.platform) {
		for _, instance := range d.platform.Instances(name) {
			want[name] += len(instance.Clusters)
		}
	}
	return want
}

// progress is a line per environment, and the placements that are missing still.
func (d *Demo) progress(s status.Status) (lines []string, missing error) {
	want := d.expected()
	for _, name := range workspace.Environments(d.platform) {
		healthy, why := tally(s, name)
		line := fmt.Sprintf("  %-10s %s %d of %d healthy", name, bar(healthy, want[name]), healthy, want[name])
		if healthy < want[name] {
			why = cmp.Or(why, "waiting for its state")
			line += "  " + d.paint.Faint(why)
			missing = errors.Join(missing, fmt.Errorf("%s: %d of %d healthy: %s", name, healthy, want[name], why))
		}
		lines = append(lines, line)
	}
	return lines, missing
}

// tally counts an environment's placements that are healthy or suspended, as they were asked to be, and says why the first
// of the others is not.
func tally(s status.Status, environment string) (healthy int, why string) {
	for _, e := range s.Environments {
		if e.Name == environment {
			why = cmp.Or(e.Error, e.Frozen)
		}
	}
	for _, in := range s.Instances {
		if in.Environment != environment {
			continue
		}
		for _, p := range in.Problems {
			if !p.Warning {
				why = cmp.Or(why, p.String())
			}
		}
		for _, p := range in.Placements {
			asAsked := p.Health == state.Suspended && len(p.Problems) == 0
			if p.IsHealthy() || asAsked {
				healthy++
				continue
			}
			why = cmp.Or(why, fmt.Sprintf("%s on %s: %s", in.Request, p.Cluster, cmp.Or(p.Message, string(p.Stage)+", "+string(p.Health))))
		}
	}
	return healthy, why
}

// bar draws a share.
func bar(n, of int) string {
	const width = 20
	full := width
	if of > 0 {
		full = width * min(n, of) / of
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// until asks again and again until the answer is nil. With --check it gives up after the timeout.
func (d *Demo) until(ctx context.Context, ask func(context.Context) error) error {
	if d.Check {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return cmp.Or(last, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// calm is the time without an event of a request on a cluster before its last event is printed: of many steps people want
// to read the last. An event of a kind that people are told of, such as a rollback, is printed in any case.
const calm = time.Second

// follow prints the events until the end.
func (d *Demo) follow(ctx context.Context) {
	news := stream{seen: time.Now()}
	_ = d.until(ctx, func(ctx context.Context) error {
		events, err := d.client.Events(ctx)
		if err != nil {
			return err
		}
		news.take(events)
		for _, e := range news.due(time.Now()) {
			d.say("%s  %s  %s", d.paint.Faint(e.At.Local().Format(time.TimeOnly)), about(e), e.Message)
		}
		return errors.New("there is always more to come")
	})
}

// A stream has the events that are still to be printed.
type stream struct {
	seen    time.Time // of the newest event that was taken
	waiting []status.Event
}

// take adds the events that are new. One of many steps gives way to the next about the same.
func (s *stream) take(events []status.Event) {
	for _, e := range events {
		if e.At.After(s.seen) {
			s.seen = e.At
			s.waiting = append(slices.DeleteFunc(s.waiting, func(old status.Event) bool { return old.Kind == "" && about(old) == about(e) }), e)
		}
	}
}

// due takes the events out that are to be printed now.
func (s *stream) due(now time.Time) (due []status.Event) {
	for len(s.waiting) > 0 && now.Sub(s.waiting[0].At) > calm {
		due, s.waiting = append(due, s.waiting[0]), s.waiting[1:]
	}
	return due
}

// about names the subject of an event.
func about(e status.Event) string {
	where := cmp.Or(e.Cluster, e.Environment, "platform")
	if e.Request != nil {
		return e.Request.String() + " on " + where
	}
	return where
}
