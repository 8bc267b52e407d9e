package kustomize

import (
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// Merging is counted in fields and items of an object that a patch is merged into. Other work is told in these: so many keys are looked at
// in the time of one, so many bytes are read, and a key of a generated ConfigMap, whose value is parsed each time, takes as long as so many.
const (
	lookupsOfNode = 400 // keys that are looked at to find others, of which each is looked for among all
	bytesOfNode   = 128
	nodesOfKey    = 12
)

// generate makes a ConfigMap of a kustomization. One that is merged into another writes all keys that are there once more.
func (e *estimate) generate(dir string, k *types.Kustomization, c types.ConfigMapArgs, acc *accumulation) {
	made := e.sources.generated(dir, k, c)
	i := &item{kind: "ConfigMap", name: c.Name, nodes: made.nodes, bytes: made.size, keys: (made.nodes - nodesOfGenerated) / 2}
	keys, bytes := i.keys, i.bytes
	if types.NewGenerationBehavior(c.Behavior) == types.BehaviorMerge {
		for _, other := range acc.items {
			if other.kind == i.kind && other.named(c.Name) {
				keys, bytes = plus(keys, other.data()), plus(bytes, other.bytes)
			}
		}
	}
	e.merging = plus(e.merging, written(keys, bytes))
	e.fail(dir, limitMerging.exceeded(e.merging))
	acc.add(i)
}

// data bounds the keys of a ConfigMap's data.
func (i *item) data() int64 {
	if i.root == nil {
		return i.keys
	}
	return i.nodes / 2
}

// written is the work of reading and writing so many keys of a ConfigMap, as fields and items.
func written(keys, bytes int64) int64 {
	return plus(times(keys, nodesOfKey), plus(times(keys, keys)/(lookupsOfNode/2), bytes/bytesOfNode))
}

// widestOf is the number of keys of the mapping that has the most, in an object or a patch.
func widestOf(n *yaml.Node) (keys int64) {
	if n = resolved(n); n == nil {
		return 0
	}
	if n.Kind == yaml.MappingNode {
		keys = int64(len(n.Content) / 2)
	}
	for _, c := range n.Content {
		keys = max(keys, widestOf(c))
	}
	return keys
}
