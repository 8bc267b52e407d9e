package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/skew"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/cmd/transom/internal/workspace"
)

// showSkew prints which versions of an offering are wanted, applied and healthy, by environment and cluster.
func (o *statusOptions) showSkew(ctx context.Context, w io.Writer) error {
	about := client.Selection{Environment: o.environment, Objects: "none"}
	s, err := o.client.Status(ctx, about)
	if err != nil {
		return err
	}
	if err := unknown(ctx, o.client, s, about); err != nil {
		return err
	}
	found := skew.Of(s, o.offering)
	if len(found.Rows) == 0 {
		if unread := tree.Unread(s); unread != "" {
			return fmt.Errorf("no request of offering %s known yet: %s", o.offering, unread)
		}
		var there []string
		for _, in := range s.Instances {
			there = append(there, in.Offering)
		}
		slices.Sort(there)
		there = slices.DeleteFunc(slices.Compact(there), func(name string) bool { return name == "" })
		return workspace.Unknown("requested offering", o.offering, there)
	}
	return o.output.print(w, found, func(w io.Writer) { found.Text(w, terminal.PaintFor(w)) })
}
