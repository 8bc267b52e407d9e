package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// renderOptions are the flags of render.
type renderOptions struct {
	output      output
	environment string
	request     string
	cluster     string
	wrapper     bool
	out         string
	watching    bool
}

func newRender() *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render [DIR]",
		Short: "Print the manifests that a platform repository renders to",
		Long: `Print the manifests that a platform repository renders to, or, with --out, write whole state trees, one directory per
environment, as the daemon would commit them to empty state repositories. Nothing is contacted.

With --wrapper, print instead the Kustomization that one request is built from. Written with --out, beside copies of
the directories that it names, "kustomize build" on it gives the same bytes; in place of a chart is what it prints.
What --out wrote before is replaced; a directory that holds anything else is refused.

With --watch, render again whenever a file is saved, and print what that changed in place of the manifests.
Problems go to stderr, and the exit code is 1 then.`,
		Example: `  transom render --environment prod --request payments/orders-db
  transom render ./platform --environment dev --cluster dev | kubectl diff -f -
  transom render --out ./state
  transom render --watch --environment dev --request search/api
  transom render -e prod --request payments/orders-db --wrapper --out /tmp/build && kubectl kustomize /tmp/build/wrapper`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			p, err := workspace.Load(directory(args))
			if err != nil {
				return err
			}
			if err := o.known(p); err != nil {
				return err
			}
			if o.watching {
				return o.watch(cmd.Context(), directory(args), cmd.OutOrStdout())
			}
			if o.wrapper {
				return o.printWrapper(p, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return o.render(p, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "only this environment")
	f.StringVar(&o.request, "request", "", "only this request, as TEAM/REQUEST")
	f.StringVar(&o.cluster, "cluster", "", "only this cluster")
	f.BoolVar(&o.wrapper, "wrapper", false, "the Kustomization around a request, instead of what it builds")
	f.BoolVar(&o.watching, "watch", false, "render again on save, and print what changed")
	f.StringVar(&o.out, "out", "", "write files below this directory instead of printing them")
	return cmd
}

// check refuses flags that do not go together.
func (o *renderOptions) check() error {
	if o.request != "" {
		if _, err := platform.ParseRequestKey(o.request); err != nil {
			return misuse("--request: %w", err)
		}
	}
	complete := o.request != "" && o.environment != ""
	narrowed := o.request != "" || o.cluster != ""
	asData := o.wrapper || o.output.format == "json"
	switch {
	case o.wrapper && !complete:
		return misuse("--wrapper needs --environment and --request: there is one for each")
	case o.out != "" && !o.wrapper && narrowed:
		return misuse("--out writes whole state trees: leave out --request and --cluster, or print them")
	case o.watching && asData:
		return misuse("--watch prints changes as text: leave out --wrapper and -o json")
	case o.out != "" && o.output.format == "json":
		return misuse("--out writes files: leave out -o json")
	}
	return nil
}

// known refuses environments, clusters and requests that the platform does not have.
func (o *renderOptions) known(p *platform.Platform) error {
	key, _ := platform.ParseRequestKey(o.request) // checked before
	switch {
	case o.environment != "" && p.Environments[o.environment] == nil:
		return workspace.Unknown("environment", o.environment, workspace.Environments(p))
	case o.cluster != "" && p.Clusters[o.cluster] == nil:
		return workspace.Unknown("cluster", o.cluster, slices.Sorted(maps.Keys(p.Clusters)))
	case o.request != "" && p.Request(key) == nil:
		return workspace.NoRequest(p, key)
	}
	return nil
}

// renderedFile is a file of an environment's state tree.
type renderedFile struct {
	Environment string `json:"environment"`
	Path        string `json:"path"`
	Content     string `json:"content"`
}

// render renders the environments that are asked for from nothing, and prints or writes their files.
func (o *renderOptions) render(p *platform.Platform, stdout, stderr io.Writer) error {
	var r render.Renderer
	files := []renderedFile{}
	states := map[string]*render.State{}
	for _, name := range workspace.Environments(p) {
		if o.environment != "" && o.environment != name {
			continue
		}
		state, err := r.Render(p, name, &render.Base{})
		if err != nil {
			return err
		}
		states[name] = state
		for _, file := range slices.Sorted(maps.Keys(state.Changes)) {
			if o.selects(file) {
				files = append(files, renderedFile{name, file, string(state.Changes[file])})
			}
		}
	}
	problems, _ := workspace.Mistakes(p, states)
	problems = o.keepAsked(problems)
	if err := o.deliver(files, states, stdout, stderr); err != nil {
		return err
	}
	return tellProblems(stderr, problems)
}

// selects says whether a file of a state tree is asked for.
func (o *renderOptions) selects(file string) bool {
	if o.out != "" {
		return true
	}
	if cluster, key, ok := state.ParseManifestFile(file); ok {
		return o.isAbout(cluster, key.String())
	}
	cluster, _, ok := state.ParseNamespaceFile(file)
	return ok && o.isAbout(cluster, "")
}

// isAbout says whether a request on a cluster is asked for.
func (o *renderOptions) isAbout(cluster, request string) bool {
	matches := func(asked, name string) bool { return asked == "" || asked == name }
	return matches(o.cluster, cluster) && matches(o.request, request)
}

// keepAsked leaves out the Problems of other requests than the one that is asked for.
func (o *renderOptions) keepAsked(all []platform.Problem) []platform.Problem {
	return slices.DeleteFunc(all, func(p platform.Problem) bool {
		return o.request != "" && p.Request != nil && p.Request.String() != o.request
	})
}

// deliver prints files, or writes them below --out instead of the state trees that are there.
func (o *renderOptions) deliver(files []renderedFile, states map[string]*render.State, stdout, stderr io.Writer) error {
	if o.out == "" {
		return o.output.print(stdout, files, func(w io.Writer) {
			for _, file := range files {
				fmt.Fprintf(w, "---\n# %s: %s\n%s", file.Environment, file.Path, file.Content)
			}
		})
	}
	for name := range states {
		if err := clearState(filepath.Join(o.out, name)); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := workspace.WriteFile(filepath.Join(o.out, file.Environment, filepath.FromSlash(file.Path)), []byte(file.Content)); err != nil {
			return err
		}
	}
	fmt.Fprintf(stderr, "wrote %s below %s\n", terminal.Count(len(files), "file"), o.out)
	return nil
}

// clearState empties the directory of a state tree that is written anew, and refuses to touch any other directory.
func clearState(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the state tree %s: %w", dir, err)
	}
	ours := state.Top()
	for _, entry := range entries {
		if !slices.Contains(ours, entry.Name()) && !strings.HasPrefix(entry.Name(), ".") {
			return fmt.Errorf("write the state tree %s: it holds %s, which is not of a state tree; choose another --out", dir, entry.Name())
		}
	}
	for _, name := range ours {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("write the state tree %s: %w", dir, err)
		}
	}
	return nil
}

// printWrapper shows or writes the Kustomization around one request.
func (o *renderOptions) printWrapper(p *platform.Platform, stdout, stderr io.Writer) error {
	key, _ := platform.ParseRequestKey(o.request) // checked before
	rendered, problems := render.Instance(p, o.environment, key, o.cluster)
	names := slices.Sorted(maps.Keys(rendered.Wrapper))
	if o.out != "" {
		if err := o.writeWrapper(rendered); err != nil {
			return err
		}
		return tellProblems(stderr, problems)
	}
	texts := map[string]string{}
	for name, content := range rendered.Wrapper {
		texts[name] = string(content)
	}
	err := o.output.print(stdout, texts, func(w io.Writer) {
		for _, name := range names {
			fmt.Fprintf(w, "---\n# wrapper/%s\n%s", name, bytes.TrimPrefix(rendered.Wrapper[name], []byte("---\n")))
		}
	})
	if err != nil {
		return err
	}
	return tellProblems(stderr, problems)
}

// writeWrapper writes the wrapper beside copies of the directories that it reads, instead of those that another run wrote.
func (o *renderOptions) writeWrapper(rendered render.Rendered) error {
	if len(rendered.Wrapper) == 0 {
		return nil // what is there stays: a Problem says why nothing replaces it
	}
	if err := clearWrapper(o.out); err != nil {
		return err
	}
	for name, content := range rendered.Wrapper {
		if err := workspace.WriteFile(filepath.Join(o.out, "wrapper", name), content); err != nil {
			return err
		}
	}
	for _, tree := range rendered.Trees {
		if err := os.CopyFS(filepath.Join(o.out, filepath.FromSlash(tree.Dir)), tree.Files); err != nil {
			return fmt.Errorf("copy %s: %w", tree.Dir, err)
		}
	}
	return nil
}

// clearWrapper empties a directory that has a wrapper of an earlier run beside its copies, and refuses to touch any other that has
// something: a platform repository has directories of the same names.
func clearWrapper(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the wrapper to %s: %w", dir, err)
	}
	written := []string{"environments", "offerings", "wrapper"}
	for _, entry := range entries {
		if !slices.Contains(written, entry.Name()) {
			return fmt.Errorf("write the wrapper to %s: it holds %s, which no run of this command wrote; choose another --out", dir, entry.Name())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "wrapper", "inputs.yaml")); err != nil {
		return fmt.Errorf("write the wrapper to %s: it holds %s and no wrapper/inputs.yaml, so that no run of this command wrote it; choose another --out", dir, entries[0].Name())
	}
	for _, name := range written {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("write the wrapper to %s: %w", dir, err)
		}
	}
	return nil
}
