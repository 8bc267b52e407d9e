package render

import (
	"slices"
	"strings"

	"transom.dev/render/internal/kustomize"
)

// RendererID names the renderer that makes manifests: Transom's own number, which changes whenever the same inputs come to
// other bytes, and the version of Kustomize. Releases record it with the bytes that it made, so that nobody who renders
// them again takes a newer renderer's bytes for a change that somebody made. A test holds it to go.mod.
const RendererID = "3 kustomize/v0.21.2"

// renderersBefore are the numbers of the renderers whose bytes are still made again. The first, which records do not name, put
// the identity into all selectors; up to the second, what others scale had replicas.
var renderersBefore = []string{"", "2"}

// asRenderer has a wrapper build what a renderer made of it.
func asRenderer(w *kustomize.Wrapper, renderer string) {
	number, _, _ := strings.Cut(renderer, " ")
	if number == "" {
		w.Rule = kustomize.Everywhere
	}
	w.KeepReplicas = slices.Contains(renderersBefore, number)
}
