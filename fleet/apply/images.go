package apply

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// podSpecs are the paths to the pod's spec in the kinds that run pods.
var podSpecs = [][]string{
	{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}, {"spec"},
}

// mostImages bounds how many images of an instance are told.
const mostImages = 20

// images lists the images of the containers of objects, each once, sorted.
func images(objects []*desired) []string {
	var all []string
	for _, d := range objects {
		for _, path := range podSpecs {
			containers, _, _ := unstructured.NestedFieldNoCopy(d.content, append(slices.Clone(path), "containers")...)
			list, _ := containers.([]any)
			for _, c := range list {
				container, _ := c.(map[string]any)
				if image, _ := container["image"].(string); image != "" {
					all = append(all, image)
				}
			}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), mostImages)]
}
