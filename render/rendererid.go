package render

import (
	"strings"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// RendererID names the renderer that makes manifests: Transom's own number, which changes whenever the same inputs come to
// other bytes, and the version of Kustomize. Releases record it with the bytes that it made, so that nobody who renders
// them again takes a newer renderer's bytes for a change that somebody made. A test compares it with go.mod.
const RendererID = "3 kustomize/v0.21.2"

// helmID names the version of Helm, which the bytes of charts depend on as well.
const helmID = " helm/v4.3.0"

// rendererOf names the renderer of a version's manifests.
func rendererOf(v *platform.Version) string {
	if v.Chart != nil {
		return RendererID + helmID
	}
	return RendererID
}

// Renders reports whether this process is a renderer that a record names, so that it comes to the same bytes.
func Renders(renderer string) bool { return renderer == RendererID || renderer == RendererID+helmID }

// An EarlierRenderer is one whose bytes are still made again.
type EarlierRenderer struct {
	Number string // as records name it; they do not name the first
	Did    string // the behaviour that it was the last to have
}

// EarlierRenderers lists them, oldest first.
func EarlierRenderers() []EarlierRenderer {
	return []EarlierRenderer{
		{"", "put the instance's labels into other selectors"},
		{"2", "left replicas beside what scales them"},
	}
}

// asRenderer has a wrapper build the bytes that a renderer made of it.
func asRenderer(w *kustomize.Wrapper, renderer string) {
	number, _, _ := strings.Cut(renderer, " ")
	if number == "" {
		w.Rule = kustomize.Everywhere
	}
	w.KeepReplicas = number == "" || number == "2"
}
