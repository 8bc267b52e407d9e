package wording

import (
	"path"
	"strings"
)

// Image is an image as people tell it from others: its last name with its tag, or the beginning of its digest.
func Image(full string) string {
	name, digest, pinned := strings.Cut(full, "@sha256:")
	name = path.Base(name)
	if pinned && !strings.Contains(name, ":") {
		name += "@" + digest[:min(7, len(digest))]
	}
	return name
}
