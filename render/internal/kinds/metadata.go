package kinds

import (
	"encoding/base64"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// templates are the paths at which kinds have the metadata of the objects that they make, which an API server judges with
// them.
var templates = [][]string{
	{"spec", "template", "metadata"},
	{"spec", "jobTemplate", "metadata"},
	{"spec", "jobTemplate", "spec", "template", "metadata"},
}

// workloads are the kinds that have such templates.
var workloads = map[string]bool{
	"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true, "Job": true, "CronJob": true,
	"ReplicationController": true,
}

// Metadata finds labels, annotations and the keys of ConfigMaps and Secrets that no API server takes, in objects of any kind.
func Metadata(apiVersion, name string, object *yaml.Node) []Fault {
	var j judge
	j.metadata(object, []string{"metadata"})
	if workloads[name] {
		for _, path := range templates {
			j.metadata(object, path)
		}
	}
	hasData := name == "ConfigMap" || name == "Secret"
	if apiVersion == "v1" && hasData {
		j.data(object, "data", name == "Secret")
		j.data(object, "binaryData", true)
		j.data(object, "stringData", false)
	}
	return j.faults
}

// A judge collects the Faults of texts.
type judge struct{ faults []Fault }

func (j *judge) report(value *yaml.Node, rule, message string, path ...string) {
	f := Fault{Rule: rule, Message: message, Value: value}
	for _, step := range path {
		f.Path = append(f.Path, Step{Name: step})
	}
	j.faults = append(j.faults, f)
}

func below(n *yaml.Node, path ...string) *yaml.Node {
	for _, step := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		n = valueOf(n, step)
	}
	if n != nil && n.Kind != yaml.MappingNode {
		return nil
	}
	return n
}

// metadata judges the labels and annotations of an object or template. A value that is no text is judged by its type.
func (j *judge) metadata(object *yaml.Node, path []string) {
	metadata := below(object, path...)
	if metadata == nil {
		return
	}
	if labels := below(metadata, "labels"); labels != nil {
		for i := 0; i+1 < len(labels.Content); i += 2 {
			key, value := labels.Content[i].Value, labels.Content[i+1]
			at := append(append([]string{}, path...), "labels", key)
			if wrong := invalidKey(key); wrong != "" {
				j.report(nil, "label", wrong, at...)
			}
			if isScalarText(value) && !simpleLabel(value.Value) {
				if wrong := utilvalidation.IsValidLabelValue(value.Value); len(wrong) > 0 {
					j.report(value, "label", fmt.Sprintf("%q is no value of a label: %s", value.Value, rule(wrong[0])), at...)
				}
			}
		}
	}
	annotations, size := below(metadata, "annotations"), 0
	if annotations == nil {
		return
	}
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		key := annotations.Content[i].Value
		size += len(key) + len(annotations.Content[i+1].Value)
		if wrong := invalidKey(strings.ToLower(key)); wrong != "" {
			j.report(nil, "annotation", wrong, append(append([]string{}, path...), "annotations", key)...)
		}
	}
	if size > validation.TotalAnnotationSizeLimitB {
		j.report(nil, "annotation", fmt.Sprintf("come to %d bytes, and may have %d together", size, validation.TotalAnnotationSizeLimitB),
			append(append([]string{}, path...), "annotations")...)
	}
}

func isScalarText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && isText(n) }

// data judges the entries of a ConfigMap or Secret.
func (j *judge) data(object *yaml.Node, field string, encoded bool) {
	data := below(object, field)
	if data == nil {
		return
	}
	for i := 0; i+1 < len(data.Content); i += 2 {
		key, value := data.Content[i].Value, data.Content[i+1]
		if wrong := utilvalidation.IsConfigMapKey(key); len(wrong) > 0 {
			j.report(nil, "data-key", fmt.Sprintf("%q cannot be a key: %s", key, rule(wrong[0])), field, key)
		}
		if encoded && isScalarText(value) {
			if _, err := base64.StdEncoding.DecodeString(value.Value); err != nil {
				j.report(value, "value", "is not base64, which values here must be; encode it", field, key)
			}
		}
	}
}

// invalidKey says why text cannot be the key of a label or annotation.
func invalidKey(key string) string {
	if simpleLabel(key) && key != "" {
		return ""
	}
	if wrong := utilvalidation.IsQualifiedName(key); len(wrong) > 0 {
		return fmt.Sprintf("%q cannot be a key: %s", key, rule(wrong[0]))
	}
	return ""
}

// simpleLabel recognises most values of labels, and keys without a prefix, at a fraction of the cost.
func simpleLabel(text string) bool {
	if len(text) > 63 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.':
			if i == 0 || i == len(text)-1 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// rule is the message of apimachinery without its examples and regular expressions.
func rule(message string) string {
	message, _, _ = strings.Cut(message, " (e.g.")
	return message
}
