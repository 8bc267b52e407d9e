package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// built holds the facts of its build in a binary.
type built struct {
	Version   string `json:"version"`            // of the module; (devel) where it was built from a checkout
	Commit    string `json:"commit,omitempty"`   // that it was built from, if Git's facts were built in
	Modified  bool   `json:"modified,omitempty"` // the checkout had changes beside that commit
	Go        string `json:"go"`
	Kustomize string `json:"kustomize"` // that renders
	Renderer  string `json:"renderer"`  // as Release files name it
	Format    int    `json:"format"`    // of state repositories: those of a newer one are refused
}

func newVersion() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version, and what it renders with and writes",
		Long: `Show the version of this binary and the commit that it was built from, the Kustomize that it renders with, the renderer
that it names in Release files, and the format of state repositories that it writes: a newer one is refused.`,
		Example: `  transom version
  transom version -o json | jq -r .format`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			return o.print(cmd.OutOrStdout(), b, func(w io.Writer) {
				commit := ""
				if b.Commit != "" {
					commit = ", commit " + b.Commit
				}
				if b.Modified {
					commit += " with changes"
				}
				fmt.Fprintf(w, "transom %s%s\nkustomize %s, renderer %q, state format %d, %s\n",
					b.Version, commit, b.Kustomize, b.Renderer, b.Format, b.Go)
			})
		},
	}
	o.flag(cmd)
	return cmd
}

func thisBuild() built {
	b := built{Version: "(devel)", Renderer: render.RendererID, Format: platform.Format}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = cmp.Or(info.Main.Version, b.Version), info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, m := range info.Deps {
		if m.Path == "sigs.k8s.io/kustomize/api" {
			b.Kustomize = m.Version
		}
	}
	return b
}
