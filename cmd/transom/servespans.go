package main

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"transom.dev/reconciler"
	"transom.dev/reconciler/tracing"
)

// traceHelp is about the one thing that is set by the environment.
const traceHelp = `Where OTEL_EXPORTER_OTLP_ENDPOINT names an OpenTelemetry collector (http/protobuf, such as http://collector:4318), it gets a trace of each
state commit: the phases of its pass, and each cluster until the commit was applied and until it was healthy.`

// traceChanges has a collector told of the way of changes, if the environment names one; otherwise it returns nil. One that cannot be
// told is said in the log, and costs nothing else.
func traceChanges(ctx context.Context, duty func(func(context.Context) error), logger *slog.Logger) reconciler.Traces {
	if !tracing.Asked() {
		return nil
	}
	seldom := rate.Sometimes{Interval: 10 * time.Minute}
	spans, err := tracing.Open(ctx, thisBuild().Version, func(err error) {
		seldom.Do(func() { logger.Warn("traces not sent: those that wait too long are dropped", "err", err) })
	})
	if err != nil {
		logger.Warn("no traces are made", "err", err)
		return nil
	}
	duty(spans.Run)
	return spans
}
