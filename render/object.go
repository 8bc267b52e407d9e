package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/manifests"
)

// An object has the fields of a rendered object that the rules look at.
type object struct {
	id          objectID
	version     string // of its API
	annotations map[string]string
	plaintext   bool       // a Secret with values in it
	subjects    []objectID // the ServiceAccounts that a binding names as such
	named       []subject  // the ServiceAccounts that a binding names as a User or a Group
	served      []string   // the fields of metadata in it that only an API server fills
	reports     bool       // it has a status that says something
}

// A subject is a User or Group by whose name a binding reaches ServiceAccounts.
type subject struct{ kind, name, namespace string } // namespace "": of all namespaces

// An objectID names an object of one cluster, in any version of its API.
type objectID struct{ group, kind, namespace, name string }

// String is KIND NAMESPACE/NAME, as people know it.
func (id objectID) String() string {
	return manifests.Name(id.kind, id.namespace, id.name)
}

// parseObjects reads a manifest that Kustomize wrote.
func parseObjects(manifest []byte) ([]object, error) {
	nodes, err := parseNodes(manifest)
	if err != nil {
		return nil, err
	}
	return describeObjects(nodes)
}

// parseNodes reads a manifest that Kustomize wrote as YAML and no more.
func parseNodes(manifest []byte) ([]*yaml.Node, error) {
	var nodes []*yaml.Node
	mayBeSigned := slices.ContainsFunc([]string{"o-", "o+", "o_"}, func(part string) bool { return bytes.Contains(manifest, []byte(part)) })
	decoder := yaml.NewDecoder(bytes.NewReader(manifest))
	for {
		node := &yaml.Node{}
		err := decoder.Decode(node)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read object %d of the manifest: %w", len(nodes)+1, err)
		}
		if mayBeSigned {
			readAsText(node)
		}
		nodes = append(nodes, node)
	}
}

// signedOctal is what this parser takes for a number, and Kustomize and API servers for text: a sign after the base, as in 0o-7.
var signedOctal = regexp.MustCompile(`^-?0o[-+][0-7]+$`)

// readAsText has a value mean to the rules what it means to an API server.
func readAsText(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!int" && signedOctal.MatchString(strings.ReplaceAll(n.Value, "_", "")) {
		n.Tag = "!!str"
	}
	for _, below := range n.Content {
		readAsText(below)
	}
}

// describeObjects finds in each object the fields that the rules look at.
func describeObjects(nodes []*yaml.Node) ([]object, error) {
	objects := make([]object, 0, len(nodes))
	for _, node := range nodes {
		var raw struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Metadata   struct {
				Name        string            `yaml:"name"`
				Namespace   string            `yaml:"namespace"`
				Annotations map[string]string `yaml:"annotations"`
				Served      servedFields      `yaml:",inline"`
			} `yaml:"metadata"`
			Status     yaml.Node `yaml:"status"`
			Data       yaml.Node `yaml:"data"`
			StringData yaml.Node `yaml:"stringData"`
			Subjects   yaml.Node `yaml:"subjects"`
		}
		if err := node.Decode(&raw); err != nil {
			return nil, fmt.Errorf("read object %d of the manifest: %w", len(objects)+1, err)
		}
		group, version, ok := strings.Cut(raw.APIVersion, "/")
		if !ok {
			group, version = "", raw.APIVersion
		}
		objects = append(objects, object{
			id:          objectID{group, raw.Kind, raw.Metadata.Namespace, raw.Metadata.Name},
			version:     version,
			annotations: raw.Metadata.Annotations,
			plaintext:   group == "" && raw.Kind == "Secret" && len(raw.Data.Content)+len(raw.StringData.Content) > 0,
			served:      raw.Metadata.Served.present(),
			reports:     saysSomething(&raw.Status),
		})
		o := &objects[len(objects)-1]
		o.subjects, o.named = subjectsOf(group, &raw.Subjects)
	}
	return objects, nil
}

// idsOf names the objects of a manifest: all of them that is remembered.
func idsOf(objects []object) []objectID {
	ids := make([]objectID, len(objects))
	for n, o := range objects {
		ids[n] = o.id
	}
	return ids
}

// servedFields are the fields of metadata that only an API server fills.
type servedFields struct {
	UID               yaml.Node `yaml:"uid"`
	ResourceVersion   yaml.Node `yaml:"resourceVersion"`
	ManagedFields     yaml.Node `yaml:"managedFields"`
	DeletionTimestamp yaml.Node `yaml:"deletionTimestamp"`
	OwnerReferences   []struct {
		UID yaml.Node `yaml:"uid"`
	} `yaml:"ownerReferences"`
}

// present names the fields that are there with a value.
func (f *servedFields) present() (fields []string) {
	for _, field := range []struct {
		name string
		node *yaml.Node
	}{
		{"uid", &f.UID},
		{"resourceVersion", &f.ResourceVersion},
		{"managedFields", &f.ManagedFields},
		{"deletionTimestamp", &f.DeletionTimestamp},
	} {
		if saysSomething(field.node) {
			fields = append(fields, field.name)
		}
	}
	for i := range f.OwnerReferences {
		if saysSomething(&f.OwnerReferences[i].UID) {
			return append(fields, "ownerReferences with a uid")
		}
	}
	return fields
}

// saysSomething reports whether anything but null, empty text and empty collections is below a node.
func saysSomething(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Tag != "!!null" && n.Value != ""
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			if saysSomething(n.Content[i]) {
				return true
			}
		}
		return false
	default:
		return slices.ContainsFunc(n.Content, saysSomething)
	}
}

// The names by which Kubernetes authenticates ServiceAccounts as users and groups.
const (
	accountUser   = "system:serviceaccount:"  // NAMESPACE:NAME
	accountGroup  = "system:serviceaccounts:" // NAMESPACE
	accountGroups = "system:serviceaccounts"  // those of all namespaces
)

// subjectsOf reads the ServiceAccounts that a binding gives its rights to, however it names them.
func subjectsOf(group string, subjects *yaml.Node) (accounts []objectID, named []subject) {
	if group != "rbac.authorization.k8s.io" {
		return nil, nil
	}
	var list []struct {
		Kind      string `yaml:"kind"`
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	}
	if err := subjects.Decode(&list); err != nil {
		return nil, nil // not a list of subjects: the API server refuses it
	}
	for _, s := range list {
		user, isUser := strings.CutPrefix(s.Name, accountUser)
		of, isGroup := strings.CutPrefix(s.Name, accountGroup)
		switch {
		case s.Kind == "ServiceAccount":
			accounts = append(accounts, objectID{"", s.Kind, s.Namespace, s.Name})
		case s.Kind == "User" && isUser:
			namespace, _, _ := strings.Cut(user, ":")
			named = append(named, subject{s.Kind, s.Name, namespace})
		case s.Kind == "Group" && isGroup:
			named = append(named, subject{s.Kind, s.Name, of})
		case s.Kind == "Group" && s.Name == accountGroups:
			named = append(named, subject{s.Kind, s.Name, ""})
		}
	}
	return accounts, named
}
