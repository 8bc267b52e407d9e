package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
)

// lookEvery is how often a watched status is asked for.
const lookEvery = 2 * time.Second

// statusWatch shows a status again whenever it changed.
type statusWatch struct {
	ask   func(context.Context) (status.Status, error)
	print func(io.Writer, status.Status) error
	out   io.Writer
	tick  <-chan time.Time

	screen *terminal.Screen // nil: nobody watches a terminal, and every change is printed below the one before
	last   []byte           // the status that was printed, as JSON
}

// watchStatus shows the status until ctx is done. The error of a daemon that stops answering is shown, and it is asked again.
func (o *statusOptions) watchStatus(ctx context.Context, seen io.Writer, team, request string) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	w := &statusWatch{
		out: seen, tick: tick.C,
		ask: func(ctx context.Context) (status.Status, error) { return o.ask(ctx, team, request) },
		print: func(out io.Writer, s status.Status) error {
			return o.output.print(out, s, o.text(seen, s, team, request))
		},
	}
	if screen := terminal.NewScreen(seen); screen.Live && o.output.String() == "text" {
		w.screen = screen
	}
	return w.run(ctx)
}

// run asks for the status and shows it, until ctx is done.
func (w *statusWatch) run(ctx context.Context) error {
	for first := true; ; first = false {
		s, err := w.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // interrupted, which is how a watch ends
		case err != nil && first:
			return err
		case err != nil:
			w.show("transom: "+err.Error()+"\n", []byte(err.Error()))
		default:
			var text bytes.Buffer
			content, err := json.Marshal(s)
			if err != nil {
				return fmt.Errorf("compare status: %w", err)
			}
			if err := w.print(&text, s); err != nil {
				return err
			}
			w.show(text.String(), content)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.tick:
		}
	}
}

// show draws the status on a terminal. Elsewhere it prints the status if that has changed.
func (w *statusWatch) show(text string, content []byte) {
	if w.screen != nil {
		w.screen.Show(w.screen.Fitting(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))...)
		return
	}
	if bytes.Equal(content, w.last) {
		return
	}
	if w.last != nil {
		fmt.Fprintln(w.out)
	}
	w.last = content
	fmt.Fprint(w.out, text)
}
