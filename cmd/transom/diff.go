package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render"
	"transom.dev/render/platform"
)

func newDiff() *cobra.Command {
	var o struct {
		output  output
		in      platformDir
		verbose bool
		from    states.From
	}
	cmd := &cobra.Command{
		Use:   "diff OFFERING@VERSION OFFERING@VERSION",
		Short: "Show what one version of an offering changes against another",
		Long: `Show what the second version changes against the first: parameters, computed values, components, bindings and outputs,
the version's files, and what its objects become for every request that runs the first version now, or that resolves to it.
Where none does, an example of a request shows it.

` + statesHelp + `

"transom plan" shows what merging a new version does instead.`,
		Example: `  transom diff postgres@1.4.2 postgres@1.5.0
  transom diff web@1.0.0 web@1.1.0 -C ./platform -o json | jq '.contract'`,
		Args: takes(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			running, err := o.from.Read(cmd.Context(), o.in.dir, p)
			if err != nil {
				return err
			}
			result, err := diffVersions(p, o.in.dir, running, args[0], args[1])
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return o.output.print(w, result, func(w io.Writer) { result.text(w, terminal.PaintFor(w), o.verbose) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show added and removed objects in full, and every request")
	return cmd
}

// versionDiff holds the changes of a version against another.
type versionDiff struct {
	From     string             `json:"from"`
	To       string             `json:"to"`
	Contract []contractChange   `json:"contract"`
	Files    []fileChange       `json:"files"`
	Looked   bool               `json:"looked"` // at the state of every environment
	States   states.States      `json:"states"`
	Example  bool               `json:"example,omitempty"` // the objects are those of a made-up request
	Objects  []render.Change    `json:"objects"`
	Problems []platform.Problem `json:"problems"` // of requests with the second version
}

// contractChange is a change of a field that requests and their readers can rely on.
type contractChange struct {
	What   string        `json:"what"` // parameter, computed, component, binding, output or setting
	Name   string        `json:"name"`
	Action render.Action `json:"action"`
	From   string        `json:"from,omitempty"`
	To     string        `json:"to,omitempty"`
}

type fileChange struct {
	Path   string        `json:"path"`
	Action render.Action `json:"action"`
}

// versionOf finds OFFERING@VERSION.
func versionOf(p *platform.Platform, name string) (*platform.Offering, *platform.Version, error) {
	offering, number, ok := strings.Cut(name, "@")
	if !ok || number == "" {
		return nil, nil, misuse("%q is not of the form OFFERING@VERSION", name)
	}
	o, err := workspace.OfferingNamed(p, offering)
	if err != nil {
		return nil, nil, err
	}
	v, err := workspace.VersionNamed(o, number)
	if err == nil && v.Broken {
		err = fmt.Errorf("%s has a Problem; \"transom check\" says which", v)
	}
	return o, v, err
}

func diffVersions(p *platform.Platform, dir string, running states.States, first, second string) (*versionDiff, error) {
	o, from, err := versionOf(p, first)
	if err != nil {
		return nil, err
	}
	other, to, err := versionOf(p, second)
	if err != nil {
		return nil, err
	}
	if o != other {
		return nil, misuse("%s and %s are versions of different offerings", from, to)
	}
	d := &versionDiff{
		From: from.String(), To: to.String(), Contract: contractChanges(from, to), Files: []fileChange{},
		Objects: []render.Change{}, Problems: []platform.Problem{}, Looked: len(running.Names(false)) == 0, States: running,
	}
	if d.Files, err = fileChanges(from.Files, to.Files); err != nil {
		return nil, err
	}
	return d, d.objects(p, dir, o, from, to)
}

// contractChanges compares the declarations of two versions.
func contractChanges(from, to *platform.Version) []contractChange {
	all := []contractChange{}
	old, now := declarations(from), declarations(to)
	for _, what := range []string{"parameter", "computed", "component", "binding", "output", "setting"} {
		names := map[string]bool{}
		for _, side := range []map[string]string{old[what], now[what]} {
			for name := range side {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			a, had := old[what][name]
			b, has := now[what][name]
			switch {
			case !had:
				all = append(all, contractChange{what, name, render.Added, "", b})
			case !has:
				all = append(all, contractChange{what, name, render.Removed, a, ""})
			case a != b:
				all = append(all, contractChange{what, name, render.Changed, a, b})
			}
		}
	}
	return all
}

// declarations puts the declarations of a version into words, by kind and name.
func declarations(v *platform.Version) map[string]map[string]string {
	all := map[string]map[string]string{
		"parameter": {}, "computed": {}, "component": {}, "binding": {}, "output": {},
		"setting": {"scope": string(v.Scope), "names": string(v.Names), "reversible": fmt.Sprint(v.Reversible)},
	}
	parameters, rules := schema.Parameters(v)
	for _, p := range parameters {
		facts := []string{p.Type}
		switch {
		case p.Required:
			facts = append(facts, "required")
		case p.Default != nil:
			facts = append(facts, "default "+yamledit.Inline(p.Default, true))
		}
		all["parameter"][p.Name] = strings.Join(append(facts, p.Constraints...), ", ")
	}
	for _, rule := range rules {
		all["parameter"]["(rule) "+rule] = "over several parameters"
	}
	for _, e := range v.Computed {
		all["computed"][e.Name] = e.Source
	}
	for _, c := range v.Components {
		all["component"][c.Path] = "always"
		if c.When != nil {
			all["component"][c.Path] = "when " + c.When.Source
		}
	}
	for name, b := range v.Bindings {
		all["binding"][name] = fmt.Sprintf("of %s, required: %v", strings.Join(b.Offerings, " or "), b.Required)
	}
	for _, e := range v.Outputs {
		all["output"][e.Name] = e.Source
	}
	if v.Placement != nil {
		all["setting"]["placement"] = v.Placement.String()
	}
	return all
}

// fileChanges compares two directories, version.yaml apart, which the contract is about.
func fileChanges(from, to fs.FS) ([]fileChange, error) {
	old, err := contents(from)
	if err != nil {
		return nil, err
	}
	now, err := contents(to)
	if err != nil {
		return nil, err
	}
	all := []fileChange{}
	for name, data := range old {
		if other, there := now[name]; !there {
			all = append(all, fileChange{name, render.Removed})
		} else if !bytes.Equal(data, other) {
			all = append(all, fileChange{name, render.Changed})
		}
	}
	for name := range now {
		if _, there := old[name]; !there {
			all = append(all, fileChange{name, render.Added})
		}
	}
	slices.SortFunc(all, func(a, b fileChange) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func contents(fsys fs.FS) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "version.yaml" {
			return err
		}
		all[name], err = fs.ReadFile(fsys, name)
		return err
	})
	return all, err
}

// objects compares the objects of the two versions, for every request that runs the first, or for one that is made up.
func (d *versionDiff) objects(p *platform.Platform, dir string, o *platform.Offering, from, to *platform.Version) error {
	users := slices.DeleteFunc(runningOf(o, d.States, instancesOf(p, o)), func(i instanceOf) bool { return i.Version != from.Number.String() })
	if len(users) == 0 {
		var err error
		if p, users, err = madeUp(p, dir, o, from); err != nil {
			return err
		}
		d.Example = true
	}
	var r render.Renderer
	for _, u := range users {
		if err := d.compare(&r, p, u, from, to); err != nil {
			return err
		}
	}
	slices.SortStableFunc(d.Objects, func(a, b render.Change) int { return strings.Compare(a.Environment, b.Environment) })
	return nil
}

// madeUp is a platform with one more request, as "new request" would write it, in the first environment.
func madeUp(p *platform.Platform, dir string, o *platform.Offering, v *platform.Version) (*platform.Platform, []instanceOf, error) {
	stages := workspace.Environments(p)
	if len(stages) == 0 {
		return p, nil, nil
	}
	team := "example"
	if len(o.Teams) > 0 {
		team = o.Teams[0]
	}
	key := platform.RequestKey{Team: team, Name: "my-" + o.Name}
	draft := schema.Draft{Offering: o, Version: v, Constraint: v.Number.String(), Name: key.Name, Environments: stages[:1]}
	p, err := workspace.LoadEdited(dir, map[string][]byte{"requests/" + key.String() + ".yaml": []byte(draft.YAML())})
	return p, []instanceOf{{Request: key, Environment: stages[0]}}, err
}

// compare adds the changes for one instance on each of its clusters.
func (d *versionDiff) compare(r *render.Renderer, p *platform.Platform, u instanceOf, from, to *platform.Version) error {
	for _, i := range p.Instances(u.Environment) {
		if i.Request.Key != u.Request {
			continue
		}
		before, after := map[string][]byte{}, map[string][]byte{}
		for _, cluster := range i.Clusters {
			old, problems := render.InstanceAs(p, u.Environment, u.Request, cluster.Name, from)
			now, more := render.InstanceAs(p, u.Environment, u.Request, cluster.Name, to)
			d.add(append(problems, more...))
			if old.Manifest != nil && now.Manifest != nil {
				file := path.Join("clusters", cluster.Name, u.Request.String()+".yaml")
				before[file], after[file] = old.Manifest, now.Manifest
			}
		}
		changes, err := plan.Between(r, p, u.Environment, before, after)
		if err != nil {
			return err
		}
		d.Objects = append(d.Objects, changes...)
	}
	return nil
}

func (d *versionDiff) add(problems []platform.Problem) {
	for _, problem := range problems {
		if !problem.Warning && !slices.ContainsFunc(d.Problems, func(p platform.Problem) bool { return p.String() == problem.String() }) {
			d.Problems = append(d.Problems, problem)
		}
	}
}

func (d *versionDiff) text(w io.Writer, p terminal.Paint, verbose bool) {
	fmt.Fprintf(w, "%s → %s\n", p.Bold(d.From), p.Bold(d.To))
	for _, c := range d.Contract {
		name := c.What + " " + c.Name
		switch c.Action {
		case render.Added:
			fmt.Fprintf(w, "  %s\n", p.Green("+ "+name+": "+oneLine(c.To)))
		case render.Removed:
			fmt.Fprintf(w, "  %s\n", p.Red("- "+name+": "+oneLine(c.From)))
		default:
			fmt.Fprintf(w, "  %s\n    %s\n    %s\n", p.Yellow("~ "+name), p.Red("- "+oneLine(c.From)), p.Green("+ "+oneLine(c.To)))
		}
	}
	signs := map[render.Action]string{render.Added: p.Green("+"), render.Removed: p.Red("-"), render.Changed: p.Yellow("~")}
	for _, f := range d.Files {
		fmt.Fprintf(w, "  %s file %s\n", signs[f.Action], f.Path)
	}
	plan.Listing{W: w, Paint: p, Apart: verbose, Full: verbose}.Print(d.Objects, func(environment string) {
		fmt.Fprintf(w, "\n%s\n", p.Bold(environment))
	})
	for _, problem := range d.Problems {
		fmt.Fprintf(w, "with %s: %s\n", d.To, p.Red(problem.String()))
	}
	if len(d.Objects) == 0 && len(d.Problems) == 0 {
		fmt.Fprintln(w, "no object changes")
	}
	if d.Example {
		fmt.Fprintf(w, "%s %s: the objects are those of an example\n", d.nobody(), d.From)
	}
	if unknown := d.States.Unknown(); unknown != "" {
		fmt.Fprintln(w, p.Faint(unknown))
	}
}

// nobody says how far it is known that no request runs the first version.
func (d *versionDiff) nobody() string {
	if d.Looked {
		return "no request runs"
	}
	return "no request resolves to"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
