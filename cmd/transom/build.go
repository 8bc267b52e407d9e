package main

import (
	"cmp"
	"runtime/debug"

	"transom.dev/render"
	"transom.dev/render/state"
)

// built has the facts of its build in a binary.
type built struct {
	Version   string `json:"version"`            // of the module; (devel) where it was built from a checkout
	Commit    string `json:"commit,omitempty"`   // that it was built from, if Git's facts were built in
	Modified  bool   `json:"modified,omitempty"` // the checkout had changes beside that commit
	Go        string `json:"go"`
	Kustomize string `json:"kustomize"` // that renders
	Renderer  string `json:"renderer"`  // as Release files name it
	Format    int    `json:"format"`    // of state repositories: those of a newer one are refused
}

// thisBuild reads the facts that the Go toolchain built in.
func thisBuild() built {
	b := built{Version: "(devel)", Renderer: render.RendererID, Format: state.Format}
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
