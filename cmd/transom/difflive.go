package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/wording"
)

// liveDiff is how the objects of a placement differ from what is committed: in the fields that the manifests set, and in those that others
// set beside them.
type liveDiff struct {
	api.Comparison
	Added map[string][]status.Added `json:"added,omitempty"` // by cluster
}

// readLiveDiff asks the daemon, which reads the cluster.
func readLiveDiff(ctx context.Context, c client.Client, about client.Selection) (*liveDiff, error) {
	found, err := c.Compare(ctx, about, "live")
	if err != nil {
		return nil, err
	}
	only := about
	only.Objects, only.Cluster = "none", "" // of all clusters: their status has what others set
	s, err := c.Status(ctx, only)
	if err != nil {
		return nil, err
	}
	d := &liveDiff{Comparison: found, Added: map[string][]status.Added{}}
	for _, in := range s.Instances {
		for _, p := range in.Placements {
			if (about.Cluster == "" || p.Cluster == about.Cluster) && len(p.Added) > 0 {
				d.Added[p.Cluster] = p.Added
			}
		}
	}
	return d, nil
}

func (d *liveDiff) text(w io.Writer, paint terminal.Paint) {
	for _, o := range d.Changes {
		fmt.Fprintln(w, wording.CleanLine(o.Action+" "+o.Kind+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")))
		for line := range strings.Lines(o.Diff) {
			line = wording.CleanLine(strings.TrimSuffix(line, "\n"))
			switch {
			case strings.HasPrefix(line, "-"):
				line = paint.Red(line)
			case strings.HasPrefix(line, "+"):
				line = paint.Green(line)
			case strings.HasPrefix(line, "@@"):
				line = paint.Faint(line)
			}
			fmt.Fprintln(w, "    "+line)
		}
	}
	for _, cluster := range slices.Sorted(maps.Keys(d.Added)) {
		for _, a := range d.Added[cluster] {
			text := a.Object + ": " + a.Told()
			if !a.At.IsZero() {
				text += " at " + a.At.UTC().Format(time.RFC3339)
			}
			fmt.Fprintln(w, wording.CleanLine(text))
		}
	}
	if len(d.Changes)+len(d.Added) == 0 {
		fmt.Fprintln(w, "nothing differs")
	}
}
