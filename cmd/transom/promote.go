package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// promoteOptions are the flags of promote.
type promoteOptions struct {
	deciding
	release   string
	plan      string
	deletions string
	adoption  string
	abandon   string
	takeover  string
	state     string
	all       bool
	skip      []string
	until     string
	reason    string
}

func newPromote() *cobra.Command {
	var o promoteOptions
	skippable := wording.Strings(gate.Skippable())
	cmd := &cobra.Command{
		Use:   "promote [TEAM/REQUEST | TEAM | OFFERING@VERSION] --environment ENVIRONMENT",
		Short: "Approve what waits for an environment, or let it past a gate",
		Long: `Approve what waits for an environment: write the Approval that a person would have written. It decides once it is
merged, and CODEOWNERS says who may merge it.

TEAM/REQUEST approves exactly the release that waits, as the daemon knows it, or, without one, the state repositories.
TEAM, or --all for every team, approves exactly all that waits for an Approval now, item by item in one file; what comes later
needs another one, and what failed there is left out. OFFERING@VERSION approves that version step for every request. --plan approves a change of the environment, --deletions
the deletions that wait, --adoption what taking over existing objects takes from them, --abandon a rewritten platform
history, --takeover that what another installation or a lost state wrote to the clusters is this state's from now on, --state
a state commit whose bytes are held back: status prints what to name.

With --skip it writes an Override instead, which lets the release past ` + terminal.OrList(skippable) + `, and shows as
debt until it is removed. Health, waves and limits are never skipped.`,
		Example: `  transom promote payments/orders-db --environment prod
  transom promote payments --environment prod
  transom promote --all --environment prod
  transom promote postgres@1.5.0 --environment prod
  transom promote --deletions sha256:… --environment prod
  transom promote postgres@1.5.1 -e prod --skip soak,window --until 4h --reason "CVE-2026-1234"
  transom promote payments/orders-db -e prod --print`,
		Args: takes(0, 1),
		RunE: o.run,
	}
	o.flag(cmd, o.records.flagsOfMany)
	f := cmd.Flags()
	f.StringVar(&o.release, "release", "", "the release's digest, instead of the one that waits")
	f.StringVar(&o.plan, "plan", "", "digest of the environment change to approve")
	f.StringVar(&o.deletions, "deletions", "", "digest of the deletions to approve")
	f.StringVar(&o.adoption, "adoption", "", "digest of the adoption to approve")
	f.StringVar(&o.abandon, "abandon", "", "platform commit to leave behind")
	f.StringVar(&o.takeover, "takeover", "", "foreign state commit whose writes to take over")
	f.StringVar(&o.state, "state", "", "state commit to apply although it is not proven to be Transom's")
	f.BoolVar(&o.all, "all", false, "approve all that waits for an Approval, item by item")
	f.StringSliceVar(&o.skip, "skip", nil, "gates to skip, by an Override: "+strings.Join(skippable, ", ")+", or check/NAME")
	f.StringVar(&o.until, "until", "", "with --skip: when that ends, a time or a duration from now")
	f.StringVar(&o.reason, "reason", "", "with --skip: why (required)")
	return cmd
}

// run writes the Approval or the Override that the flags ask for.
func (o *promoteOptions) run(cmd *cobra.Command, args []string) error {
	if err := o.check(args); err != nil {
		return err
	}
	p, err := o.begin(cmd)
	if err != nil {
		return err
	}
	if err := o.checkNames(p); err != nil {
		return err
	}
	team, ofTeam := "", len(args) == 1 && !strings.ContainsAny(args[0], "/@")
	if ofTeam {
		team = args[0] // which may have removed its last request, so that the platform has none of that name
	}
	if o.all || ofTeam {
		if len(o.skip) > 0 {
			return misuse("--skip goes with TEAM/REQUEST or OFFERING@VERSION: an Override names one thing")
		}
		c, notes, err := o.allThatWaits(cmd.Context(), team)
		switch {
		case err != nil && ofTeam && !hasTeam(p, team):
			return misuse("%q is neither TEAM/REQUEST nor OFFERING@VERSION, nor a team that has requests: %w", team, err)
		case err != nil:
			return err
		}
		return o.finish(cmd, c, notes)
	}
	if len(args) == 0 {
		return o.finish(cmd, o.digest(), nil)
	}
	s, err := parseSubject(p, args[0])
	if err != nil {
		return err
	}
	until, err := moment("until", o.until, time.Now())
	if err != nil {
		return err
	}
	c, notes, err := o.decide(cmd.Context(), p, s)
	if err != nil {
		return err
	}
	if len(o.skip) > 0 {
		c.spec = append(c.spec, setting{"skip", "[" + strings.Join(o.skip, ", ") + "]"})
		c.set("until", until)
		c.set("reason", o.reason)
		notes = append(notes, "it shows as debt until the file is deleted")
	}
	return o.finish(cmd, c, notes)
}

// check refuses flags that do not go together.
func (o *promoteOptions) check(args []string) error {
	named := len(args)
	for _, digest := range []string{o.plan, o.deletions, o.adoption, o.abandon, o.takeover, o.state} {
		if digest != "" {
			named++
		}
	}
	if o.all {
		named++
	}
	explained := o.until != "" || o.reason != ""
	switch {
	case named != 1:
		return misuse("promote takes exactly one of TEAM/REQUEST, TEAM, OFFERING@VERSION, --all, --plan, --deletions, --adoption, --abandon, --takeover and --state")
	case len(o.skip) > 0 && len(args) == 0:
		return misuse("--skip goes with TEAM/REQUEST or OFFERING@VERSION")
	case len(o.skip) > 0 && o.reason == "":
		return misuse("--skip needs --reason: whoever reads the file will ask")
	case len(o.skip) == 0 && explained:
		return misuse("--until and --reason go with --skip: an Approval holds for what it names")
	}
	gates := wording.Strings(gate.Skippable())
	for _, name := range o.skip {
		if !gate.MaySkip(gate.Name(name)) {
			return misuse("--skip %s: it is %s%s; health, waves and limits are never skipped", name, terminal.OrList(gates), wording.Suggest(name, gates))
		}
	}
	return nil
}

// checkNames refuses the name of a check that the environment does not have: its Override would let nothing past.
func (o *promoteOptions) checkNames(p *platform.Platform) error {
	e := p.Environments[o.environment]
	if e == nil {
		return nil
	}
	var there []string
	for _, name := range e.CheckNames() {
		there = append(there, string(gate.CheckNamed(name)))
	}
	for _, name := range o.skip {
		if _, ofOne := gate.IsOfCheck(gate.Name(name)); !ofOne || slices.Contains(there, name) {
			continue
		}
		if len(there) == 0 {
			return misuse("--skip %s: environment %s has no checks", name, o.environment)
		}
		return misuse("--skip %s: environment %s has no such check; it has %s%s", name, o.environment, strings.Join(there, ", "), wording.Suggest(name, there))
	}
	return nil
}

// digest begins the Approval of a change that a flag names by its digest or commit.
func (o *promoteOptions) digest() *decisionFile {
	c := &decisionFile{kind: decision.Approval}
	for _, named := range []struct{ field, value, about string }{
		{"plan", o.plan, "approve the environment change"},
		{"deletions", o.deletions, "approve the deletions"},
		{"adoption", o.adoption, "approve the adoption"},
		{"platform", o.abandon, "leave the platform commit"},
		{"takeover", o.takeover, "take over from state commit"},
		{"state", o.state, "apply the state commit"},
	} {
		if named.value != "" {
			c.name, c.about = fileName(named.field, terminal.Short(named.value)), named.about+" "+terminal.Short(named.value)
			c.set(named.field, named.value)
		}
	}
	return c
}

// decide begins the Approval or Override of a release or version.
func (o *promoteOptions) decide(ctx context.Context, p *platform.Platform, s subject) (*decisionFile, []string, error) {
	c, verb := &decisionFile{kind: decision.Approval}, "approve"
	if len(o.skip) > 0 {
		c.kind, verb = decision.Override, "skip "+strings.Join(o.skip, ", ")+" for"
	}
	if s.request == nil {
		if o.release != "" {
			return nil, nil, misuse("--release goes with TEAM/REQUEST")
		}
		c.name, c.about = o.fileFor(s.parts()), verb+" "+s.String()
		c.set("offering", s.offering)
		c.set("version", s.version)
		return c, nil, nil
	}
	release, err := o.candidate(ctx, p, *s.request)
	if err != nil {
		return nil, nil, err
	}
	c.name, c.about = o.fileFor(append(s.parts(), terminal.Short(release.digest))), fmt.Sprintf("%s %s of %s", verb, terminal.Short(release.digest), s.request)
	if release.failed && len(o.skip) == 0 {
		c.name = unusedFile(p, o.environment, c.name)
	}
	c.comment = release.String()
	c.set("request", s.request.String())
	c.set("release", release.digest)
	return c, o.notes(release), nil
}

// unusedFile is name, or that with a number: a release that failed is admitted again by an Approval that was not there
// before.
func unusedFile(p *platform.Platform, environment, name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(p.Decisions, func(d *platform.Decision) bool {
			return d.File == path.Join("decisions", environment, name+".yaml")
		})
	}
	free := name
	for n := 2; taken(free); n++ {
		free = fileName(name, strconv.Itoa(n))
	}
	return free
}

// fileFor is the name of the decision's file; an Override has one of its own.
func (o *promoteOptions) fileFor(parts []string) string {
	if len(o.skip) > 0 {
		parts = append([]string{"skip"}, parts...)
	}
	return fileName(parts...)
}

// candidate finds the release to approve: the one that --release names, or the one that waits.
func (o *promoteOptions) candidate(ctx context.Context, p *platform.Platform, key platform.RequestKey) (*knownRelease, error) {
	if o.release == "" {
		return o.records.next(ctx, p, o.environment, key)
	}
	if !strings.HasPrefix(o.release, "sha256:") || len(o.release) != len("sha256:")+64 {
		return nil, misuse("--release %s: it is sha256: and 64 hexadecimal digits; \"transom status %s\" prints them with -o json", o.release, key)
	}
	return &knownRelease{digest: o.release}, nil
}

// notes lists the closed gates that the decision does not open.
func (o *promoteOptions) notes(release *knownRelease) (notes []string) {
	for _, g := range release.waiting {
		if !o.opens(g.Name) {
			notes = append(notes, fmt.Sprintf("it also waits for %s: %s", g.Name, g.Reason))
		}
	}
	return notes
}

// opens says whether the decision opens a gate.
func (o *promoteOptions) opens(name gate.Name) bool {
	if len(o.skip) == 0 {
		return promotion.ApprovalOpens(name)
	}
	return name == gate.Approval || slices.Contains(o.skip, string(name))
}
