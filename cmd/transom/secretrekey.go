package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
	"transom.dev/render/wording"
)

// The states of a file of sealed values with respect to its recipients.
const (
	rekeyCurrent = "current" // it is sealed for those whom the environment names
	rekeyStale   = "stale"   // it is not
	rekeyDone    = "rekeyed"
	rekeyFailed  = "failed"
)

// A rekeyed is one file of sealed values.
type rekeyed struct {
	File    string   `json:"file"`
	State   string   `json:"state"`
	Added   []string `json:"added,omitempty"`   // recipients that it was not sealed for
	Removed []string `json:"removed,omitempty"` // recipients that it was sealed for, and is not to be
	Problem string   `json:"problem,omitempty"`
}

// rekeyOptions are the flags of secret rekey.
type rekeyOptions struct {
	output      output
	in          platformDir
	environment string
	team        string
	identities  []string
	dryRun      bool
}

func newSecretRekey() *cobra.Command {
	var o rekeyOptions
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Seal files for the recipients that environments name now",
		Long: `Seal files for the recipients that environments name now, after one came or went. Values stay as they are, and nobody has to type
them: the key that a file's values are sealed with is sealed anew, which takes an identity that opens the file as it is. Files that are
sealed for exactly the present recipients are left alone. A file that does not open, or is not in order, is told and left as it is; the
others are written all the same, and the end is 1. Nothing is committed.

Whoever had a value has it still: where an identity got into wrong hands, change the values, too, with "transom secret set".`,
		Example: `  transom secret rekey --dry-run
  transom secret rekey --age-identities old.age
  transom secret rekey -e prod --team payments --age-identities old.age -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := o.rekey()
			if err != nil {
				return err
			}
			if err := o.output.print(cmd.OutOrStdout(), all, func(w io.Writer) { tellRekeyed(w, all) }); err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(r rekeyed) bool { return r.State == rekeyFailed }) {
				return unwell
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "only files of this environment")
	f.StringVar(&o.team, "team", "", "only files of this team")
	f.StringSliceVar(&o.identities, "age-identities", nil, "file of age identities that open the files as they are (repeatable)")
	f.BoolVar(&o.dryRun, "dry-run", false, "list the files, and write none; no identity is needed, and one that is given is tried")
	o.output.flag(cmd)
	o.in.flag(cmd)
	return cmd
}

func tellRekeyed(w io.Writer, all []rekeyed) {
	if len(all) == 0 {
		fmt.Fprintln(w, "there are no such files of sealed values")
	}
	counts := map[string]int{}
	for _, r := range all {
		counts[r.State]++
		var changes []string
		for _, recipient := range r.Added {
			changes = append(changes, "+ "+recipient)
		}
		for _, recipient := range r.Removed {
			changes = append(changes, "- "+recipient)
		}
		switch r.State {
		case rekeyFailed:
			fmt.Fprintf(w, "%s: %s\n", r.File, r.Problem)
		case rekeyCurrent:
		default:
			fmt.Fprintf(w, "%s: %s (%s)\n", r.File, r.State, strings.Join(changes, ", "))
		}
	}
	var sums []string
	for _, state := range []string{rekeyDone, rekeyStale, rekeyCurrent, rekeyFailed} {
		if counts[state] > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	if len(sums) > 0 {
		fmt.Fprintf(w, "%s: %s\n", terminal.Count(len(all), "file"), strings.Join(sums, ", "))
	}
	if counts[rekeyDone] > 0 {
		fmt.Fprintln(w, "commit them and merge them; the daemon needs an identity of the new recipients before that, and the old ones until no state has them")
	}
}

// rekey seals the files that are chosen for their present recipients.
func (o *rekeyOptions) rekey() ([]rekeyed, error) {
	p, err := o.in.load()
	if err != nil {
		return nil, err
	}
	if o.environment != "" {
		if _, err := workspace.EnvironmentNamed(p, o.environment); err != nil {
			return nil, err
		}
	}
	keys, err := readIdentities(o.identities)
	if err != nil {
		return nil, err
	}
	if keys == nil && !o.dryRun {
		return nil, misuse("transom secret rekey needs --age-identities with a key that opens the files as they are; --dry-run lists them without")
	}
	all := []rekeyed{}
	for _, s := range platform.SealedSubjects(p) {
		if (o.environment == "" || s.Environment == o.environment) && (o.team == "" || s.Team == o.team) {
			all = append(all, o.one(p, keys, s))
		}
	}
	if o.team != "" && len(all) == 0 {
		return nil, fmt.Errorf("there are no files of sealed values of a team %s%s", wording.Shorten(o.team), wording.Suggest(o.team, sealedTeams(p)))
	}
	return all, nil
}

// sealedTeams are the teams that have files of sealed values.
func sealedTeams(p *platform.Platform) (teams []string) {
	for _, s := range platform.SealedSubjects(p) {
		if !slices.Contains(teams, s.Team) {
			teams = append(teams, s.Team)
		}
	}
	return teams
}

// one seals one file, if it has to be.
func (o *rekeyOptions) one(p *platform.Platform, keys *sealed.Keys, s sealed.Subject) rekeyed {
	r := rekeyed{File: s.File(), State: rekeyFailed}
	at := filepath.Join(o.in.dir, filepath.FromSlash(r.File))
	data, err := os.ReadFile(at)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	e := p.Environments[s.Environment]
	recipients := e.RecipientsOf(s.Team)
	if len(recipients) == 0 {
		r.Problem = fmt.Sprintf("there is nobody to seal for: name age recipients under spec.secrets.recipients in %s", e.File)
		return r
	}
	f, problems := sealed.ReadForAnyone(data, s)
	if len(problems) > 0 {
		r.Problem = platform.FromYAML(r.File, problems[0]).Message
		return r
	}
	r.Added = without(recipients, f.Recipients)
	r.Removed = without(f.Recipients, recipients)
	if len(r.Added)+len(r.Removed) == 0 {
		r.State = rekeyCurrent
		return r
	}
	if keys == nil {
		r.State = rekeyStale
		return r
	}
	anew, _, err := keys.Rekey(data, s, recipients)
	switch {
	case err != nil:
		r.Problem = err.Error()
	case o.dryRun:
		r.State = rekeyStale
	default:
		if err := workspace.WriteFile(at, anew); err != nil {
			r.Problem = err.Error()
			return r
		}
		r.State = rekeyDone
	}
	return r
}

// without are those of all that are not among others.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(others, one) })
}
