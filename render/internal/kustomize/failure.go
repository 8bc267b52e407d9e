package kustomize

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A Failure is the message of Kustomize about a build, without the layers that it wraps around it.
type Failure struct {
	Dir     string // the directory in the platform repository whose kustomization it concerns; empty: unknown
	Message string
	Counted bool // a number is over its limit, and nothing was built
}

func (f *Failure) Error() string { return f.Message }

var (
	inDirectory = regexp.MustCompile(`^(?:recursed accumulation|recursed merging|couldn't make target) (?:of|from|for) path '/?([^']*)': `)
	quoted      = regexp.MustCompile(`^(?:accumulateDirectory|loader\.New):? ("(?:[^"\\]|\\.)*")`)
	addressed   = regexp.MustCompile(`^(merging from generator) &\{0x[^}]*\}: `)
	asFile      = regexp.MustCompile(`(?s)^accumulation err='(?:accumulating|merging) resources from '([^']*)': (.*)': must build at directory: .*$`)
	resourceID  = regexp.MustCompile(`([A-Z][A-Za-z0-9]*)\.[^/\s]*/([^\s"]+)\.(?:\[noNs\]|[a-z0-9-]+)`)
	twice       = regexp.MustCompile(`may not add resource with an already registered id: ` + resourceID.String() + `$`)
	nameless    = regexp.MustCompile(`missing metadata\.name in object \{\{\S* ?(\S*)\}.*$`)
	noTarget    = regexp.MustCompile(`^no resource matches strategic merge patch "` + resourceID.String() + `": .*$`)
	asDirectory = regexp.MustCompile(`(?s)^accumulation err='accumulating resources from '[^']*': '[^']*' must resolve to a file': (.*)$`)
)

// explain takes the layers off: each adds a prefix, quotes the inner message once more, tells of other attempts, or gives an
// address in memory.
func explain(err error) *Failure {
	f := &Failure{Message: err.Error()}
	for {
		before := f.Message
		for _, layer := range []string{"accumulating components: ", "accumulating resources: "} {
			f.Message = strings.TrimPrefix(f.Message, layer)
		}
		if m := inDirectory.FindStringSubmatch(f.Message); m != nil {
			f.Dir, f.Message = m[1], f.Message[len(m[0]):]
		}
		if m := quoted.FindStringSubmatch(f.Message); m != nil {
			if text, err := strconv.Unquote(m[1]); err == nil {
				f.Message = text
			}
		}
		f.Message = addressed.ReplaceAllString(f.Message, "$1: ")
		if m := asDirectory.FindStringSubmatch(f.Message); m != nil {
			f.Message = m[1]
		} else if m := asFile.FindStringSubmatch(f.Message); m != nil {
			f.Message = m[1] + ": " + m[2]
		}
		if f.Message == before {
			break
		}
	}
	f.Message = strings.TrimSpace(f.Message)
	f.Message = twice.ReplaceAllStringFunc(f.Message, func(m string) string { return "has the " + objectOf(m) + " once more; remove or rename one of the two" })
	f.Message = nameless.ReplaceAllString(f.Message, "a $1 has no metadata.name")
	f.Message = noTarget.ReplaceAllStringFunc(f.Message, func(m string) string { return "a patch is for the " + objectOf(m) + ", and there is no such object" })
	return f
}

// objectOf is the object whose identity a message names first, for people: Kustomize writes Deployment.v1.apps/web.[noNs].
func objectOf(message string) string {
	m := resourceID.FindStringSubmatch(message)
	return m[1] + " " + m[2]
}

// File is the kustomization that the failure concerns, or the empty string.
func (f *Failure) File() string {
	if f.Dir == "" || f.Dir == Dir {
		return ""
	}
	return path.Join(f.Dir, KustomizationFile)
}
