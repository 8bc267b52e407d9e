package main

import (
	"context"
	"log/slog"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler"
	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/reconciler/web"
)

// notifyOptions say who can be told of events.
type notifyOptions struct {
	file     string
	notifier *notify.Notifier
}

func (o *notifyOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "notify", "", `file with the targets of the platform's notifications, and their secrets; read again when it changes ("transom notify --help")`)
}

// open reads the file, so that a mistake is said before anything is started.
func (o *notifyOptions) open() error {
	targets, err := readTargets(o.file)
	o.notifier = notify.New(targets)
	return err
}

// start has people told of the Board's events, beside the log, until ctx is done. Messages lead to a console, if it has an address.
func (o *notifyOptions) start(ctx context.Context, group *errgroup.Group, r *reconciler.Reconciler, figures *web.Figures, console string) {
	n := o.notifier
	n.Console = console
	r.Further = n.Problems
	r.Board.OnEvent = r.LogEvent
	if o.file == "" {
		return
	}
	n.Notifications, n.Counted = r.Notifications, func(target string, outcome notify.Outcome) { figures.Notified(target, string(outcome)) }
	n.Told = func(target string, err error) {
		if err != nil {
			r.Logger.Warn("notifications not delivered: they are tried again for an hour", "target", target, "err", err)
		} else {
			r.Logger.Warn("notifications are delivered again", "target", target)
		}
	}
	r.Board.OnEvent = func(e status.Event) {
		r.LogEvent(e)
		n.Take(e)
	}
	known := func() {
		figures.Notifiable(n.Names(), string(notify.Sent), string(notify.Failed), string(notify.Dropped))
		r.Trigger.Fire("targets")
	}
	known()
	group.Go(func() error { return n.Run(ctx) })
	var told string // the last fault of the file, which is logged once
	group.Go(func() error {
		return trigger.Every(ctx, refreshTime, func() { told = o.refresh(r.Logger, told, known) })
	})
}

// refresh reads the targets again. A file with a mistake changes nothing; the log says so once.
func (o *notifyOptions) refresh(logger *slog.Logger, told string, changed func()) string {
	targets, err := readTargets(o.file)
	if err != nil {
		if err.Error() != told {
			logger.Warn("targets of notifications not taken in: those before stay in force", "err", err)
		}
		return err.Error()
	}
	if o.notifier.Use(targets) {
		logger.Info("targets of notifications read again", "targets", targets.Names())
		changed()
	}
	return ""
}
