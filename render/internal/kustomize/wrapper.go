package kustomize

import (
	"fmt"
	"io/fs"
	"path"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"
)

// Dir is the directory of the wrapper, beside the directories of a platform repository. Written there, the wrapper's
// files build with the plain `kustomize build`.
const Dir = "wrapper"

const inputsFile = "inputs.yaml"

// A Tree is a directory of the platform repository that a build may read. Its files must have passed Guard.
type Tree struct {
	Dir    string // in the platform repository, such as offerings/postgres/1.5.0
	Files  fs.FS  // rooted at Dir
	Digest string // of Files; the same digest means the same files

	// Overlay says that the tree is an environment's: it meets instances of every offering.
	Overlay bool
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
	Identity  map[string]string // on selectors and pod templates too; empty: on none
}

// Files returns the wrapper's own files, by their name below Dir.
func (w Wrapper) Files() (map[string][]byte, error) {
	inputs, err := marshalInputs(w.Inputs)
	if err != nil {
		return nil, err
	}
	kustomization, err := w.YAML()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"kustomization.yaml": kustomization, inputsFile: inputs}
	for name, content := range w.Resources {
		files[name] = content
	}
	return files, nil
}

// YAML returns the wrapper's kustomization.yaml.
func (w Wrapper) YAML() ([]byte, error) {
	out, err := yaml.Marshal(w.kustomization())
	if err != nil {
		return nil, fmt.Errorf("marshal the wrapper: %w", err)
	}
	return out, nil
}

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
	if len(w.Identity) > 0 {
		k.Labels = append(k.Labels, types.Label{Pairs: w.Identity, FieldSpecs: identityFields()})
	}
	return k
}

// identityFields are the places where two instances of one namespace would otherwise select each other's pods. They
// are named one by one because Kustomize's includeSelectors also rewrites the peers of NetworkPolicies and affinity,
// and gives Services without a selector one.
func identityFields() []types.FieldSpec {
	var fields []types.FieldSpec
	add := func(group, kind, path string, create bool) {
		fields = append(fields, types.FieldSpec{
			Gvk: resid.Gvk{Group: group, Kind: kind}, Path: path, CreateIfNotPresent: create,
		})
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"} {
		add("apps", kind, "spec/selector/matchLabels", true)
		add("apps", kind, "spec/template/metadata/labels", true)
	}
	add("batch", "Job", "spec/template/metadata/labels", true)
	add("batch", "CronJob", "spec/jobTemplate/spec/template/metadata/labels", true)
	add("policy", "PodDisruptionBudget", "spec/selector/matchLabels", true)
	add("networking.k8s.io", "NetworkPolicy", "spec/podSelector/matchLabels", true)
	fields = append(fields, types.FieldSpec{Gvk: resid.Gvk{Version: "v1", Kind: "Service"}, Path: "spec/selector"})
	return fields
}
