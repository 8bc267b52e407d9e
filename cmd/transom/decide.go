package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
)

// deciding are the flags of the commands that write a decision: the file that a person would have written, which decides
// once it is merged.
type deciding struct {
	output      output
	records     records
	environment string
	print       bool
}

// flag adds the flags of all these commands; reads adds those of the repositories that the command reads.
func (d *deciding) flag(cmd *cobra.Command, reads func(*cobra.Command)) {
	d.output.flag(cmd)
	reads(cmd)
	cmd.Flags().StringVarP(&d.environment, "environment", "e", "", "the environment that is decided about (required)")
	cmd.Flags().BoolVar(&d.print, "print", false, "print the file, and write nothing")
	must(cmd.RegisterFlagCompletionFunc("environment", completeEnvironments(&d.records.in)))
}

// begin checks the flags that all these commands need, and loads the platform.
func (d *deciding) begin(cmd *cobra.Command) (*platform.Platform, error) {
	if d.environment == "" {
		return nil, misuse("%s needs --environment: say where it is decided", cmd.CommandPath())
	}
	p, err := d.records.in.load()
	if err != nil {
		return nil, fmt.Errorf("%w; run this in a clone of the platform repository, or name one with -C", err)
	}
	_, err = workspace.EnvironmentNamed(p, d.environment)
	return p, err
}

// decisionFile is a file below decisions/ as a person would write it.
type decisionFile struct {
	kind    decision.Kind
	name    string
	comment string // the answer to the next question of a reader
	about   string // its effect, as the subject of a commit
	spec    []setting
}

// setting is a field of a decision's spec, its value as YAML.
type setting struct{ name, yaml string }

// set adds a field, unless it has no value.
func (d *decisionFile) set(name, value string) {
	if value != "" {
		d.spec = append(d.spec, setting{name, yamledit.Scalar(value, false)})
	}
}

// file is the path of the decision in the platform repository.
func (d *decisionFile) file(environment string) string {
	return path.Join("decisions", environment, d.name+".yaml")
}

// yaml is the content of the file.
func (d *decisionFile) yaml() string {
	var b strings.Builder
	if d.comment != "" {
		fmt.Fprintf(&b, "# %s\n", d.comment)
	}
	fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmetadata: {name: %s}\n", platform.APIVersion, d.kind, yamledit.Scalar(d.name, true))
	if len(d.spec) == 0 {
		b.WriteString("spec: {}\n")
		return b.String()
	}
	b.WriteString("spec:\n")
	for _, s := range d.spec {
		space := " "
		if strings.HasPrefix(s.yaml, "\n") { // a list
			space = ""
		}
		fmt.Fprintf(&b, "  %s:%s%s\n", s.name, space, s.yaml)
	}
	return b.String()
}

// fileName makes a readable DNS label of the subject of a decision. The end of a label that is too long becomes a digest.
func fileName(parts ...string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r) {
			return r
		}
		return '-'
	}, strings.ToLower(strings.Join(parts, "-")))
	if len(name) <= 63 {
		return strings.Trim(name, "-")
	}
	sum := sha256.Sum256([]byte(name))
	return strings.Trim(name[:54], "-") + "-" + hex.EncodeToString(sum[:4])
}

// decided is the result of a deciding verb.
type decided struct {
	Kind    decision.Kind `json:"kind"`
	File    string        `json:"file"`
	Content string        `json:"content"`
	Written bool          `json:"written"`
	Notes   []string      `json:"notes,omitempty"` // effects that the decision alone does not bring about
	Next    []string      `json:"next"`            // commands that make it a decision

	about   string
	printed bool
}

// finish checks a decision as the daemon will, and writes or prints it.
func (d *deciding) finish(cmd *cobra.Command, c *decisionFile, notes []string) error {
	result := &decided{
		Kind: c.kind, File: c.file(d.environment), Content: c.yaml(), Notes: notes, Next: d.next(c),
		about: c.about, printed: d.print,
	}
	s := &scaffold{}
	s.add(result.File, result.Content)
	if err := s.refuse(d.records.in.dir, nil); err != nil {
		return err
	}
	idle, err := d.idle(result)
	if err != nil {
		return err
	}
	result.Notes = append(result.Notes, idle...)
	if !d.print {
		if err := d.write(result); err != nil {
			return err
		}
	}
	return d.output.print(cmd.OutOrStdout(), result, result.text)
}

// idle lists the requests for which a Pin, once it is merged, has no effect, and why.
func (d *deciding) idle(result *decided) (notes []string, err error) {
	p, err := workspace.LoadEdited(d.records.in.dir, map[string][]byte{result.File: []byte(result.Content)})
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", result.File, err)
	}
	for _, problem := range p.IdleDecisions() {
		if problem.File == result.File {
			notes = append(notes, problem.Message)
		}
	}
	return notes, nil
}

// write puts the file into the clone. A file that is there already must have the same content.
func (d *deciding) write(result *decided) error {
	name := filepath.Join(d.records.in.dir, filepath.FromSlash(result.File))
	old, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		result.Written = true
		return workspace.WriteFile(name, []byte(result.Content))
	case err != nil:
		return fmt.Errorf("write %s: %w", result.File, err)
	case !bytes.Equal(old, []byte(result.Content)):
		return fmt.Errorf("%s exists already and says something else; edit it, or delete it first: nothing was written", result.File)
	}
	return nil
}

// next lists the Git commands that share the file, so that it can be merged.
func (d *deciding) next(c *decisionFile) []string {
	file := c.file(d.environment)
	return d.git("add "+file, c.about)
}

// git lists the Git commands that commit a change of the clone and push it.
func (d *deciding) git(change, about string) []string {
	git := "git "
	if d.records.in.dir != "." {
		git = "git -C " + d.records.in.dir + " "
	}
	return []string{git + change, fmt.Sprintf("%scommit -m %q", git, d.environment+": "+about), git + "push"}
}

func (r *decided) text(w io.Writer) {
	switch {
	case r.printed:
		fmt.Fprint(w, r.Content)
		return
	case r.Written:
		fmt.Fprintf(w, "wrote %s: %s\n", r.File, r.about)
	default:
		fmt.Fprintf(w, "%s is there already: %s\n", r.File, r.about)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	fmt.Fprintln(w, "it decides once it is merged:")
	for _, line := range r.Next {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// moment reads a point in time: RFC 3339, or how long from now.
func moment(flag, value string, now time.Time) (string, error) {
	if value == "" {
		return "", nil
	}
	if d, err := time.ParseDuration(value); err == nil {
		if d <= 0 {
			return "", misuse("--%s %s: is not in the future", flag, value)
		}
		return now.Add(d).UTC().Round(time.Second).Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, value); err != nil {
		return "", misuse("--%s %s: it is a time such as 2027-06-01T12:00:00Z, or how long from now, such as 4h", flag, value)
	}
	return value, nil
}

// A subject is the request, or the exact version of an offering, that a decision is about.
type subject struct {
	request           *platform.RequestKey
	offering, version string
}

// parseSubject reads TEAM/REQUEST or OFFERING@VERSION.
func parseSubject(p *platform.Platform, text string) (subject, error) {
	offering, version, at := strings.Cut(text, "@")
	if !at {
		key, err := platform.ParseRequestKey(text)
		if err != nil {
			return subject{}, misuse("%q is neither TEAM/REQUEST nor OFFERING@VERSION", text)
		}
		return subject{request: &key}, nil
	}
	o, err := workspace.OfferingNamed(p, offering)
	if err != nil {
		return subject{}, err
	}
	if version == "" {
		return subject{}, misuse("%q lacks a version: write OFFERING@VERSION", text)
	}
	if _, err := workspace.VersionNamed(o, version); err != nil {
		return subject{}, err
	}
	return subject{offering: offering, version: version}, nil
}

func (s subject) String() string {
	if s.request != nil {
		return s.request.String()
	}
	return s.offering + " " + s.version
}

// parts name the subject in a file name.
func (s subject) parts() []string {
	if s.request != nil {
		return []string{s.request.Team, s.request.Name}
	}
	return []string{s.offering, s.version}
}
