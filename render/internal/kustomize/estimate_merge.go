package kustomize

import "go.yaml.in/yaml/v3"

// Merging is counted in fields and items of an object that a patch is merged into. Other work is told in these: so many keys are looked at
// in the time of one, so many bytes are read, and a key of a generated ConfigMap, whose value is parsed each time, takes as long as so many.
const (
	lookupsOfNode = 400 // keys that are looked at to find others, of which each is looked for among all
	bytesOfNode   = 128
	nodesOfKey    = 12
)

// data bounds the keys of a ConfigMap's data.
func (i *item) data() int64 {
	if i.root == nil {
		return (i.nodes - nodesOfGenerated) / 2
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
