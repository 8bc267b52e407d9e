// Package tracing tells an OpenTelemetry collector of the way of changes: a trace for each state commit, with the phases of the pass that
// made it, and, cluster by cluster, the time until it was applied and until it was healthy.
//
// A trace begins with the pass and ends when the last of the placements that the commit changed is healthy, gone, or changed again by a later commit;
// after an hour it ends as it is. Its id is the first 32 digits of the state commit, so that a commit leads to its trace.
//
// Nothing waits for the collector: spans are queued within bounds, and dropped where it does not keep up. No manifest and no value of a
// manifest is in a span. The package is the only door to OpenTelemetry.
package tracing
