package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
)

// holdOptions are the flags of hold.
type holdOptions struct {
	deciding
	offering, team, cluster string
	from, until, reason     string
	remove                  string
}

func newHold() *cobra.Command {
	var o holdOptions
	cmd := &cobra.Command{
		Use:   "hold [TEAM/REQUEST] --environment ENVIRONMENT --reason REASON",
		Short: "Keep an environment, or a part of it, as it is",
		Long: `Keep an environment, or a part of it, as it is: write the Hold that a person would have written. It stops releases and
environment changes, and never a rollback. Without a request, --offering, --team or --cluster it holds the whole
environment. It ends at --until, or when its file is deleted: --remove says how.`,
		Example: `  transom hold --environment prod --from 2026-12-20T00:00:00Z --until 2027-01-03T00:00:00Z --reason "end of year"
  transom hold payments/orders-db -e prod --reason "migration under way"
  transom hold -e prod --offering postgres --until 24h --reason "1.6 leaks connections"
  transom hold -e prod --remove hold-postgres`,
		Args: takes(0, 1),
		RunE: o.run,
	}
	o.flag(cmd, o.records.in.flag)
	f := cmd.Flags()
	f.StringVar(&o.offering, "offering", "", "hold every request of this offering")
	f.StringVar(&o.team, "team", "", "hold every request of this team")
	f.StringVar(&o.cluster, "cluster", "", "hold what is on this cluster")
	f.StringVar(&o.from, "from", "", "when it begins, a time or a duration from now; left out, once merged")
	f.StringVar(&o.until, "until", "", "when it ends, a time or a duration from now; left out, when the file is deleted")
	f.StringVar(&o.reason, "reason", "", "why (required)")
	f.StringVar(&o.remove, "remove", "", "say how to end the hold of this name")
	return cmd
}

// run writes a Hold, or says how one is ended.
func (o *holdOptions) run(cmd *cobra.Command, args []string) error {
	p, err := o.begin(cmd)
	if err != nil {
		return err
	}
	if o.remove != "" {
		return o.end(cmd)
	}
	if o.reason == "" {
		return misuse("hold needs --reason: whoever waits will ask")
	}
	what, field, value, err := o.subject(p, args)
	if err != nil {
		return err
	}
	c := &decisionFile{kind: decision.Hold, name: fileName("hold", what), about: "hold " + value}
	if value == "" {
		c.about = "hold everything"
	}
	c.set(field, value)
	for _, at := range []struct{ name, value string }{{"from", o.from}, {"until", o.until}} {
		when, err := moment(at.name, at.value, time.Now())
		if err != nil {
			return err
		}
		c.set(at.name, when)
	}
	c.set("reason", o.reason)
	return o.finish(cmd, c, nil)
}

// subject finds the request, offering, team or cluster of a Hold: its part of the file's name, the field and its value.
func (o *holdOptions) subject(p *platform.Platform, args []string) (name, field, value string, err error) {
	named := map[string]string{"offering": o.offering, "team": o.team, "cluster": o.cluster}
	if len(args) == 1 {
		key, err := platform.ParseRequestKey(args[0])
		if err != nil {
			return "", "", "", usageError{err}
		}
		if p.Request(key) == nil {
			return "", "", "", workspace.NoRequest(p, key)
		}
		named["request"] = key.String()
	}
	for _, f := range slices.Sorted(maps.Keys(named)) {
		if named[f] == "" {
			continue
		}
		if field != "" {
			return "", "", "", misuse("a Hold is of one thing: %s or %s; write one for each", field, f)
		}
		field, value = f, named[f]
	}
	if field == "" {
		return "everything", "", "", nil
	}
	if there := heldThings(p, field); field != "request" && !slices.Contains(there, value) {
		return "", "", "", workspace.Unknown(field, value, there)
	}
	return strings.ReplaceAll(value, "/", "-"), field, value, nil
}

// heldThings lists the names that a field of a Hold can have.
func heldThings(p *platform.Platform, field string) []string {
	switch field {
	case "offering":
		return slices.Sorted(maps.Keys(p.Offerings))
	case "cluster":
		return slices.Sorted(maps.Keys(p.Clusters))
	case "team":
		var teams []string
		for _, r := range p.Requests() {
			teams = append(teams, r.Key.Team)
		}
		slices.Sort(teams)
		return slices.Compact(teams)
	}
	return nil
}

// end says how a hold is ended.
func (o *holdOptions) end(cmd *cobra.Command) error {
	file := path.Join("decisions", o.environment, strings.TrimSuffix(o.remove, ".yaml")+".yaml")
	if _, err := os.Stat(filepath.Join(o.records.in.dir, filepath.FromSlash(file))); errors.Is(err, fs.ErrNotExist) {
		return workspace.Unknown("decision about "+o.environment, o.remove, o.decisions())
	}
	result := &decided{Kind: decision.Hold, File: file, Next: o.git("rm "+file, "end "+o.remove)}
	return o.output.print(cmd.OutOrStdout(), result, func(w io.Writer) {
		fmt.Fprintf(w, "%s ends once its deletion is merged:\n", file)
		for _, line := range result.Next {
			fmt.Fprintf(w, "  %s\n", line)
		}
	})
}

// decisions are the names of the files that decide about the environment.
func (o *holdOptions) decisions() (names []string) {
	files, _ := filepath.Glob(filepath.Join(o.records.in.dir, "decisions", o.environment, "*.yaml")) // the pattern is ours
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	return names
}
