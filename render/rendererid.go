package render

// RendererID names the renderer that makes manifests: Transom's own number, which changes whenever the same inputs come to
// other bytes, and the version of Kustomize. Releases record it with the bytes that it made, so that nobody who renders
// them again takes a newer renderer's bytes for a change that somebody made. A test holds it to go.mod.
const RendererID = "2 kustomize/v0.21.2"
