package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

//go:embed bootstrap
var bootstrap embed.FS

// pipelines are the files that a forge runs for a pull request, by the name that --ci has for the forge.
var pipelines = map[string]struct{ from, to string }{
	"github": {"bootstrap/github.yaml", ".github/workflows/transom.yaml"},
	"gitlab": {"bootstrap/gitlab.yaml", ".gitlab-ci.yml"},
}

// initOptions are the flags of init.
type initOptions struct {
	output       output
	environments []string
	team         string
	ci           []string
}

func newInit() *cobra.Command {
	o := initOptions{}
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Start a platform repository: environments, clusters, a first offering and request, pipelines",
		Long: `Start a platform repository: environments that promote from one another, a cluster for each, a first offering and a
request of it, CODEOWNERS, and pipelines in which a pull request is checked and planned. What is written passes check, and
no existing file is ever touched.

The first environment takes what is merged at once. Each of the others takes it from the one before once it was healthy
there for ten minutes, and the last one waits for an approval as well. The README.md that is written says step by step what
to do until the first request is live.`,
		Example: `  transom init platform
  transom init platform --environment test --environment live --team payments
  transom init platform --ci gitlab && git -C platform init -b main`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args[0])
		},
	}
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringSliceVarP(&o.environments, "environment", "e", []string{"dev", "prod"}, "environment, in the order of promotion (repeatable)")
	f.StringVar(&o.team, "team", "demo", "the team of the first request")
	f.StringSliceVar(&o.ci, "ci", []string{"github", "gitlab"}, "whose pipelines to write: github, gitlab (repeatable), or none")
	return cmd
}

// run writes the files into a directory, which is made if it is not there.
func (o *initOptions) run(cmd *cobra.Command, dir string) error {
	s := &scaffold{Next: fmt.Sprintf("next: %s says what to do until the first request is live", path.Join(dir, "README.md"))}
	if err := o.draft(s); err != nil {
		return err
	}
	_, err := os.Lstat(dir)
	if absent := errors.Is(err, fs.ErrNotExist); absent {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the directory of the platform: %w", err)
		}
		defer func() { _ = os.Remove(dir) }() // only if it is empty still: nothing was written
	} else if err := refusePlatform(dir); err != nil {
		return err
	}
	return finish(cmd, &o.output, s, dir, nil)
}

// refusePlatform is an error if a directory has a platform already.
func refusePlatform(dir string) error {
	p, err := workspace.LoadEdited(dir, nil)
	if err != nil {
		return err
	}
	if len(p.Environments)+len(p.Clusters)+len(p.Offerings)+p.CountRequests() > 0 {
		return fmt.Errorf("%s is a platform already, and nothing was written; \"transom new\" adds offerings, versions and requests", dir)
	}
	return nil
}

// draft adds every file.
func (o *initOptions) draft(s *scaffold) error {
	for i, name := range o.environments {
		if slices.Index(o.environments, name) != i {
			return misuse("--environment %s is given twice", name)
		}
		s.add(path.Join("environments", name+".yaml"), o.environmentFile(i))
		s.add(path.Join("clusters", clusterOf(name)+".yaml"), clusterDraft(name))
	}
	s.add("offerings/app/offering.yaml", offeringFile("app", "Application", "A container that answers HTTP.", "platform-team"))
	s.firstVersion("app", "0.1.0")
	s.add(path.Join("requests", o.team, "hello.yaml"), o.requestFile())
	if err := o.readme(s); err != nil {
		return err
	}
	owners, err := bootstrap.ReadFile("bootstrap/CODEOWNERS")
	if err != nil {
		return err
	}
	s.add("CODEOWNERS", strings.ReplaceAll(string(owners), "TEAM", o.team))
	return o.pipelines(s)
}

// pipelines adds the pipelines of the forges that were asked for.
func (o *initOptions) pipelines(s *scaffold) error {
	for _, forge := range o.ci {
		pipeline, ok := pipelines[forge]
		switch {
		case forge == "none" && len(o.ci) == 1:
			return nil
		case !ok:
			return misuse("--ci is github, gitlab or none, not %q", strings.Join(o.ci, ","))
		}
		content, err := bootstrap.ReadFile(pipeline.from)
		if err != nil {
			return err
		}
		s.add(pipeline.to, string(content))
	}
	return nil
}

func clusterOf(environment string) string { return environment + "-1" }

func stateOf(environment string) string { return "state-" + environment }

func clusterDraft(environment string) string {
	return fmt.Sprintf(`apiVersion: %s
kind: Cluster
metadata:
  name: %s
  labels: {environment: %s} # environments choose their clusters by labels
spec: {state: active} # paused: looked at and never written; draining: emptied
`, platform.APIVersion, yamledit.Scalar(clusterOf(environment), true), yamledit.Scalar(environment, true))
}

// environmentFile is the file of the environment at a position in the order of promotion.
func (o *initOptions) environmentFile(at int) string {
	name := o.environments[at]
	lines := []string{
		"apiVersion: " + platform.APIVersion,
		"kind: Environment",
		"metadata: {name: " + yamledit.Scalar(name, true) + "}",
		"spec:",
		fmt.Sprintf("  state: {url: ../%s.git, branch: main} # beside this repository", stateOf(name)),
		"  clusters: {matchLabels: {environment: " + yamledit.Scalar(name, true) + "}}",
	}
	if at > 0 {
		lines = append(lines, "  promotesFrom: ["+yamledit.Scalar(o.environments[at-1], true)+"]", "  gates:",
			"    soak: 10m # healthy there for that long")
	}
	if at > 0 && at == len(o.environments)-1 {
		lines = append(lines, "    approval: required # by a file in decisions/"+name+", which \"transom promote\" writes")
	}
	lines = append(lines, "  rollout:", "    progressDeadline: 10m # what is not healthy by then goes back to what ran before", "    onFailure: rollback")
	return strings.Join(lines, "\n") + "\n"
}

func (o *initOptions) requestFile() string {
	lines := []string{
		"apiVersion: " + platform.APIVersion, "kind: Request", "metadata: {name: hello}", "spec:", "  offering: app",
		`  version: "0.1" # the highest published 0.1.x`,
		"  parameters: {image: \"docker.io/library/nginx:1.29\"}", "  environments:",
	}
	for _, name := range o.environments {
		lines = append(lines, "    "+yamledit.Scalar(name, true)+": {}")
	}
	return strings.Join(lines, "\n") + "\n"
}

// readme adds README.md, with the steps until the first request is live.
func (o *initOptions) readme(s *scaffold) error {
	text, err := bootstrap.ReadFile("bootstrap/README.md")
	if err != nil {
		return err
	}
	var states, clusters []string
	for _, name := range o.environments {
		states = append(states, "   - `"+stateOf(name)+"`")
		clusters = append(clusters, "   - `transom cluster add "+clusterOf(name)+" --context CONTEXT --label environment="+name+" --out ../kubeconfigs`")
	}
	gate := ""
	if last := o.environments[len(o.environments)-1]; len(o.environments) > 1 {
		gate = fmt.Sprintf("   It reaches %s once it was healthy before for ten minutes and a file approves it: "+
			"`transom promote %s/hello --environment %s`, and merge that.\n", last, o.team, last)
	}
	s.add("README.md", strings.NewReplacer(
		"STATES", strings.Join(states, "\n"), "CLUSTERS", strings.Join(clusters, "\n"), "GATE", gate, "FIRST", o.environments[0], "TEAM/hello", o.team+"/hello",
	).Replace(string(text)))
	return nil
}
