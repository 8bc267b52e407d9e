package platform

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxRequestName leaves room in Kubernetes' 63 characters for the suffixes that an offering and its controllers append to a
// request's name. It is the bound that Helm sets for the names of its releases.
const maxRequestName = 53

// wrongName says why a name is no DNS-1035 label of at most limit characters, or nothing.
func wrongName(name string, limit int) string {
	switch {
	case len(validation.IsDNS1035Label(name)) > 0 && len(name) <= validation.DNS1035LabelMaxLength:
		return "must be a DNS label: small letters, digits and dashes, a letter first and no dash last"
	case len(name) > limit && limit < validation.DNS1035LabelMaxLength:
		return "is too long: more than 53 characters leave no room for the names of its objects"
	case len(name) > limit:
		return "is too long: a DNS label has at most 63 characters"
	}
	return ""
}

const reserved = "default, kube-* and transom-* are namespaces of Kubernetes and Transom"

// ReservedNamespace says whether a namespace of this name is Kubernetes' or Transom's own: it is no team's, and no offering
// reaches into it unless the environment says so.
func ReservedNamespace(name string) bool {
	return name == "default" || strings.HasPrefix(name, "kube-") || strings.HasPrefix(name, "transom-")
}

// localPath says whether a path stays inside the directory that it is relative to, in its shortest form.
func localPath(path string) bool {
	return path != "" && path != "." && !strings.HasPrefix(path, "/") && !strings.Contains(path, "\\") &&
		!strings.Contains(path, "//") && !strings.HasSuffix(path, "/") &&
		!slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}
