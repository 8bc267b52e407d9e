// Package install has the manifests of an installation, as this directory has them: "transom install" prints them, and
// people use them as a Kustomize base. It has no code.
package install

import "embed"

// Files are the directories of this one, and the alert rules.
//
//go:embed base rights target keys access monitoring overlay alerts.yaml
var Files embed.FS
