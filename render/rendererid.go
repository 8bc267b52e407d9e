package render

import (
	"strings"

	"transom.dev/render/internal/kustomize"
)

// RendererID names the renderer that makes manifests: Transom's own number, which changes whenever the same inputs come to
// other bytes, and the version of Kustomize. Releases record it with the bytes that it made, so that nobody who renders
// them again takes a newer renderer's bytes for a change that somebody made. A test compares it with go.mod.
const RendererID = "3 kustomize/v0.21.2"

// renderersBefore are the renderers whose bytes are still made again, and the behaviour that each was the last to have.
// Records do not name the first.
var renderersBefore = []struct{ number, did string }{
	{"", "put the instance's labels into other selectors"},
	{"2", "left replicas beside what scales them"},
}

// asRenderer has a wrapper build the bytes that a renderer made of it.
func asRenderer(w *kustomize.Wrapper, renderer string) {
	number, _, _ := strings.Cut(renderer, " ")
	if number == "" {
		w.Rule = kustomize.Everywhere
	}
	w.KeepReplicas = number == "" || number == "2"
}
