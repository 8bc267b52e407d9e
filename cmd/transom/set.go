package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// setOptions are the flags of set.
type setOptions struct {
	output output
	in     platformDir
	check  bool
	dryRun bool
}

func newSet() *cobra.Command {
	var o setOptions
	cmd := &cobra.Command{
		Use:   "set TEAM/REQUEST PATH=VALUE...",
		Short: "Edit a request in place, as a pipeline that ships a new image does",
		Long: `Edit values of a request's file in place; comments, order and layout stay. A PATH begins below spec. The type of a
VALUE is the parameter's: text is quoted where YAML would read something else, an object or list is given as YAML or
JSON. In an environment's parameters, null takes back a parameter for that environment.

The request is resolved and rendered with the edit first: an edit that gives it a Problem is refused and nothing is
written. Nothing is committed.`,
		Example: `  transom set payments/checkout parameters.image=registry.acme.example/payments/checkout:1.5.0
  transom set payments/orders-db environments.prod.parameters.storage=200Gi
  transom set search/api version=1.2 environments.prod.hold=true
  transom set search/api 'parameters.env={LOG_LEVEL: debug}' -C ./platform
  transom set search/api parameters.env.'"feature.x"'=on --dry-run`,
		Args: takes(2, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := platform.ParseRequestKey(args[0])
			if err != nil {
				return usageError{err}
			}
			result, err := o.set(key, args[1:])
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if err := o.output.print(w, result, result.text); err != nil {
				return err
			}
			return tellProblems(cmd.ErrOrStderr(), result.Problems)
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", true, "refuse an edit that gives the request a Problem")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be edited, and write nothing")
	return cmd
}

// editing is the result of set on a request's file.
type editing struct {
	File     string             `json:"file"`
	Written  bool               `json:"written"`
	Edits    []edit             `json:"edits"`
	Problems []platform.Problem `json:"problems"` // that the edit would give the request, and then nothing is written
}

// An edit is a value of the file, before and after.
type edit struct {
	Path string `json:"path"`
	From any    `json:"from"`
	To   any    `json:"to"`
}

// set edits the file of a request, unless the edit would give the request a Problem.
func (o *setOptions) set(key platform.RequestKey, assignments []string) (*editing, error) {
	p, err := o.in.load()
	if err != nil {
		return nil, err
	}
	request := p.Request(key)
	if request == nil {
		return nil, fmt.Errorf("no request %s: there is no file requests/%s.yaml; \"transom new request %s\" starts one", key, key, key)
	}
	name := filepath.Join(o.in.dir, filepath.FromSlash(request.File))
	before, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", key, err)
	}
	result := &editing{File: request.File, Edits: []edit{}, Problems: []platform.Problem{}}
	after, err := result.apply(string(before), schema.For(p, request), assignments)
	if err != nil {
		return nil, err
	}
	if o.check {
		if err := o.examine(p, key, result, after); err != nil {
			return nil, err
		}
	}
	if o.dryRun || len(result.Problems) > 0 || after == string(before) {
		return result, nil
	}
	if err := os.WriteFile(name, []byte(after), 0o644); err != nil {
		return nil, fmt.Errorf("edit %s: %w", key, err)
	}
	result.Written = true
	return result, nil
}

// apply makes the edits in the text of a request's file; of is the schema of the request.
func (r *editing) apply(text string, of map[string]any, assignments []string) (string, error) {
	for _, assignment := range assignments {
		path, written, ok := strings.Cut(assignment, "=")
		if !ok {
			return "", misuse("%q is no assignment; write PATH=VALUE", assignment)
		}
		path = strings.TrimPrefix(path, "spec.")
		steps, err := yamledit.ParsePath(path)
		if err != nil {
			return "", usageError{err}
		}
		steps = append(yamledit.Path{{Key: "spec"}}, steps...)
		value, err := schema.Typed(written, schema.At(of, steps))
		if err != nil {
			return "", fmt.Errorf("spec.%s: %w", path, err)
		}
		edited, before, err := yamledit.Set(text, steps, value)
		if err != nil {
			return "", fmt.Errorf("%s: spec.%s: %w", r.File, path, err)
		}
		if edited != text {
			r.Edits = append(r.Edits, edit{"spec." + path, before, value})
		}
		text = edited
	}
	return text, nil
}

// examine finds the Problems that the edit would give the request.
func (o *setOptions) examine(p *platform.Platform, key platform.RequestKey, result *editing, after string) error {
	next, err := workspace.LoadEdited(o.in.dir, map[string][]byte{result.File: []byte(after)})
	if err != nil {
		return fmt.Errorf("check the edit of %s: %w", key, err)
	}
	result.Problems, _ = workspace.Apart(problemsOf(next, key), problemsOf(p, key))
	return nil
}

// problemsOf lists the Problems of one request, those of rendering it among them.
func problemsOf(p *platform.Platform, key platform.RequestKey) (all []platform.Problem) {
	file := key.File()
	for _, problem := range p.Problems {
		if problem.Warning {
			continue
		}
		isOfRequest := problem.Request != nil && *problem.Request == key
		if problem.File == file || isOfRequest {
			all = append(all, problem)
		}
	}
	request := p.Request(key)
	for _, environment := range slices.Sorted(maps.Keys(request.Spec.Environments)) {
		if p.Environments[environment] == nil || p.Broken(environment, key) {
			continue
		}
		_, problems := render.Instance(p, environment, key, "")
		for _, problem := range problems {
			if !problem.Warning && problem.Rule != "not-found" {
				all = append(all, problem)
			}
		}
	}
	return all
}

func (r *editing) text(w io.Writer) {
	if len(r.Edits) == 0 {
		fmt.Fprintf(w, "%s: nothing to edit, it says so already\n", r.File)
	}
	for _, e := range r.Edits {
		from := "unset"
		if e.From != nil {
			from = yamledit.Inline(e.From, true)
		}
		fmt.Fprintf(w, "%s: %s: %s → %s\n", r.File, e.Path, from, yamledit.Inline(e.To, true))
	}
	if len(r.Problems) > 0 {
		fmt.Fprintln(w, "nothing was written:")
	}
}
