package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// Dir is the directory of the wrapper, beside the directories of a platform repository. Written there, the wrapper's
// files build with the plain `kustomize build`.
const Dir = "wrapper"

const inputsFile = "inputs.yaml"

// A Tree is a directory of the platform repository that a build may read. Its files must have been accepted by Guard.
type Tree struct {
	Dir    string // in the platform repository, such as offerings/postgres/1.5.0
	Files  fs.FS  // rooted at Dir
	Digest string // of Files; the same digest means the same files

	// Components are the directories in the tree that a build may name beside the tree itself. A kustomization that neither these
	// nor the tree lead to is never built, and may say anything.
	Components []string

	// Overlay says that the tree is an environment's: it meets instances of every offering.
	Overlay bool

	// Taken says that the tree is of a version that its environment runs for the instance.
	Taken bool

	// Printed is how many bytes a chart printed for one instance: a line in the files is no line that a person wrote. Zero: people
	// wrote them.
	Printed int
}

// A Wrapper is the Kustomization around one instance, as data.
type Wrapper struct {
	Inputs     map[string]any    // the fields of the Inputs object
	Resources  map[string][]byte // further files beside the inputs, by name
	Trees      []Tree            // whatever Components are in
	Components []string          // directories in the platform repository, in order

	Prefix    string            // before every name
	Namespace string            // of every namespaced object; empty: they keep their own
	Labels    map[string]string // on the metadata of every object
	Identity  map[string]string // on pod templates and in selectors too, as the rule says; empty: on none

	// Rule says where the identity goes, and Kept of single objects, by KIND NAME without the prefix, where else.
	Rule Rule
	Kept map[string]Style

	Replicas

	Run Runner // of Kustomize; nil: in this process
}

// Files returns the wrapper's own files, by their name below Dir. Plain Kustomize makes of them the bytes that Build
// returns. Where the components do not build, nothing is known of selectors, and the identity is omitted.
func (w Wrapper) Files() (map[string][]byte, error) {
	k := w.kustomization()
	result, err := Accumulate(w)
	if unfinished := (*Unfinished)(nil); errors.As(err, &unfinished) {
		return nil, err
	}
	if err == nil {
		identity, err := w.Identify(result)
		if err != nil {
			return nil, err
		}
		identity.addTo(&k, result)
	}
	return w.files(k)
}

// files are the wrapper's own files with that kustomization.
func (w Wrapper) files(k types.Kustomization) (map[string][]byte, error) {
	inputs, err := marshalInputs(w.Inputs)
	if err != nil {
		return nil, err
	}
	kustomization, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("marshal the wrapper: %w", err)
	}
	files := map[string][]byte{"kustomization.yaml": kustomization, inputsFile: inputs}
	for name, content := range w.Resources {
		files[name] = content
	}
	return files, nil
}

// kustomization is the wrapper without the identity.
func (w Wrapper) kustomization() types.Kustomization {
	k := types.Kustomization{
		TypeMeta:    types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources:   append([]string{inputsFile}, sortedKeys(w.Resources)...),
		NamePrefix:  w.Prefix,
		Namespace:   w.Namespace,
		SortOptions: &types.SortOptions{Order: types.LegacySortOrder},
	}
	for _, dir := range w.Components {
		k.Components = append(k.Components, path.Join("..", dir))
	}
	if len(w.Labels) > 0 {
		k.Labels = append(k.Labels, types.Label{Pairs: w.Labels})
	}
	return k
}

// Runs reports whether a wrapper has a version that its environment runs for the instance.
func (w Wrapper) Runs() bool {
	return slices.ContainsFunc(w.Trees, func(t Tree) bool { return t.Taken })
}
