package kustomize

import (
	"fmt"
	"maps"
	"path"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// A Job is one run of Kustomize: the directory Dir of a tree of files is built. Or it is one of Helm.
type Job struct {
	Subject string            // the component that is built first, such as offerings/postgres/1.5.0
	Files   map[string][]byte // by path, without a leading slash

	// Chart is not empty where the job runs Helm instead: it is a call of the chart that Files are, and the one document is the
	// texts that the templates print, by their path.
	Chart []byte
}

// A Runner does a job, and returns the objects as documents. It may be called concurrently. An error of Kustomize about the
// files is a *Failure; an *Unfinished says nothing about them.
type Runner func(Job) ([]*yaml.Node, error)

// An Unfinished is the error of a build that is still under way, or that was ended because it took too much. The same
// build may succeed later, so nobody may remember it as the result.
type Unfinished struct{ Message string }

func (u *Unfinished) Error() string { return u.Message }

// Run is the Runner that does a job in this process.
func Run(j Job) ([]*yaml.Node, error) {
	result, err := j.run()
	if err != nil {
		return nil, err
	}
	documents := make([]*yaml.Node, len(result))
	for n, r := range result {
		documents[n] = r.YNode()
	}
	return documents, nil
}

// Warm reads the schemas that the first job would otherwise read. A process whose jobs are done by workers never reads them: the scopes of
// Kubernetes' kinds are known without, and they are some five megabytes.
func Warm() { prepare() }

// Objects are the result of a build, in order.
type Objects []*resource.Resource

// Resources returns the objects.
func (o Objects) Resources() []*resource.Resource { return o }

// Size returns how many there are.
func (o Objects) Size() int { return len(o) }

// run is Kustomize. Every error of it, a panic included, is a Failure.
func (j Job) run() (result Objects, err error) {
	defer func() {
		if r := recover(); r != nil {
			result, err = nil, &Failure{Message: fmt.Sprintf("Kustomize gave up: %v", r)}
		}
	}()
	prepare()
	tree := filesys.MakeFsInMemory()
	for name, content := range j.Files {
		if err := tree.WriteFile(path.Join("/", name), content); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	// Reorder stays unset: sorting is the wrapper's sortOptions, and krusty complains if told twice.
	built, err := krusty.MakeKustomizer(&krusty.Options{
		Reorder:          krusty.ReorderOptionUnspecified,
		LoadRestrictions: types.LoadRestrictionsRootOnly,
		PluginConfig:     types.DisabledPluginConfig(),
	}).Run(tree, path.Join("/", Dir))
	if err != nil {
		return nil, explain(err)
	}
	return built.Resources(), nil
}

// build adds the wrapper's own files to those of its trees and has the wrapper's runner build them.
func (w Wrapper) build(files, own map[string][]byte) (Objects, error) {
	j := Job{Files: maps.Clone(files)}
	for name, content := range own {
		j.Files[path.Join(Dir, name)] = content
	}
	if len(w.Components) > 0 {
		j.Subject = w.Components[0]
	}
	if w.Run == nil {
		return j.run()
	}
	documents, err := w.Run(j)
	if err != nil {
		return nil, err
	}
	if len(documents) > 10*MaxObjects { // the code below takes time with their square
		return nil, &Failure{Message: fmt.Sprintf("comes to %d objects; at most %d are applied", len(documents), MaxObjects)}
	}
	result := make(Objects, len(documents))
	for n, document := range documents {
		result[n] = &resource.Resource{RNode: *kyaml.NewRNode(document)}
	}
	return result, nil
}
