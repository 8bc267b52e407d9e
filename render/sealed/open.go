package sealed

import (
	"bytes"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"go.yaml.in/yaml/v3"
)

// onlyEncrypted begins every MAC that covers sealed values only, so that it is never one that covers all.
var onlyEncrypted = []byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0xb,
	0xb, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

// Keys are the identities that open files. The nil Keys open none.
type Keys struct{ identities []age.Identity }

// ReadKeys reads identities, as age-keygen writes them: one a line, and comments.
func ReadKeys(data []byte) (*Keys, error) {
	identities, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("it holds no age identities; each is a line that begins with AGE-SECRET-KEY-, as \"age-keygen\" writes it")
	}
	return &Keys{identities}, nil
}

// And are the keys of both.
func (k *Keys) And(other *Keys) *Keys {
	if k == nil {
		return other
	}
	if other == nil {
		return k
	}
	return &Keys{slices.Concat(k.identities, other.identities)}
}

// Len is how many identities there are.
func (k *Keys) Len() int {
	if k == nil {
		return 0
	}
	return len(k.identities)
}

// Open opens the values of a manifest, YAML or JSON, that is sealed for a subject. The MAC is compared always. An error names
// the remedy, and no value.
func (k *Keys) Open(manifest []byte, s Subject) (map[string]string, error) {
	o, err := k.open(manifest, s)
	if err != nil {
		return nil, err
	}
	return o.values, nil
}

func (k *Keys) open(manifest []byte, s Subject) (*opening, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(manifest, &document); err != nil || len(document.Content) == 0 {
		return nil, again(s, "it cannot be read as YAML")
	}
	o := &opening{subject: s, sum: sha512.New(), values: map[string]string{}}
	root := document.Content[0]
	if err := o.readBlock(child(root, "sops")); err != nil {
		return nil, err
	}
	if err := o.unwrap(k); err != nil {
		return nil, err
	}
	if o.onlyEncrypted {
		_, _ = o.sum.Write(onlyEncrypted)
	}
	if err := o.walk(root, nil); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, nil
}

// again is an error whose remedy is to seal the values anew.
func again(s Subject, format string, args ...any) error {
	return fmt.Errorf("%s; seal its values again: %s", fmt.Sprintf(format, args...), s.setting("KEY"))
}

// An opening is one file while it is opened.
type opening struct {
	subject       Subject
	recipients    []string
	wrapped       []string
	modified, mac string
	onlyEncrypted bool

	key    []byte
	sum    hash.Hash
	made   string // the subject that was sealed
	values map[string]string
}

// readBlock reads the field sops.
func (o *opening) readBlock(block *yaml.Node) error {
	var b struct {
		Age []struct {
			Recipient string `yaml:"recipient"`
			Enc       string `yaml:"enc"`
		} `yaml:"age"`
		Modified      string `yaml:"lastmodified"`
		MAC           string `yaml:"mac"`
		OnlyEncrypted bool   `yaml:"mac_only_encrypted"`
		Regex         string `yaml:"encrypted_regex"`
	}
	if block == nil || block.Decode(&b) != nil {
		return again(o.subject, "its field sops cannot be read")
	}
	at, err := time.Parse(time.RFC3339, b.Modified)
	switch {
	case err != nil:
		return again(o.subject, "its sops.lastmodified is no time")
	case b.Regex != Sealing:
		return again(o.subject, "its sops.encrypted_regex is not %s", Sealing)
	}
	o.modified, o.mac, o.onlyEncrypted = at.Format(time.RFC3339), b.MAC, b.OnlyEncrypted
	for _, r := range b.Age {
		o.recipients, o.wrapped = append(o.recipients, r.Recipient), append(o.wrapped, r.Enc)
	}
	return nil
}

// unwrap opens the data key with any of the identities.
func (o *opening) unwrap(k *Keys) error {
	if k.Len() == 0 {
		return fmt.Errorf("there is no identity to open it with; give the daemon one of %s by --age-identities", strings.Join(o.recipients, ", "))
	}
	damaged := false
	for _, wrapped := range o.wrapped {
		r, err := age.Decrypt(armor.NewReader(strings.NewReader(wrapped)), k.identities...)
		var key []byte
		if err == nil {
			key, err = io.ReadAll(io.LimitReader(r, dataKeySize+1))
		}
		var none *age.NoIdentityMatchError
		switch {
		case err == nil && len(key) == dataKeySize:
			o.key = key
			return nil
		case !errors.As(err, &none):
			damaged = true
		}
	}
	if damaged {
		return again(o.subject, "its data key is damaged")
	}
	return fmt.Errorf("it is sealed for %s, and none of the %d identities at hand is theirs; give the daemon theirs by --age-identities, or seal its values again: %s",
		strings.Join(o.recipients, ", "), k.Len(), o.subject.setting("KEY"))
}

// walk opens all sealed values in their order, and adds the values that the MAC covers to its sum.
func (o *opening) walk(n *yaml.Node, path []string) error {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if len(path) == 0 && name == "sops" {
				continue
			}
			if err := o.walk(n.Content[i+1], append(path, name)); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := o.walk(item, path); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		return o.visit(n, path)
	default:
		return again(o.subject, "it has an alias")
	}
	return nil
}

func (o *opening) visit(n *yaml.Node, path []string) error {
	joined := strings.Join(path, ":") + ":"
	isFor := slices.Equal(path, []string{"metadata", "annotations", AnnotationFor})
	isValue := len(path) == 2 && path[0] == "stringData"
	if !slices.ContainsFunc(path, func(name string) bool { return name == "stringData" || name == AnnotationFor }) {
		if !o.onlyEncrypted && n.ShortTag() != "!!null" {
			_, _ = io.WriteString(o.sum, plainText(n))
		}
		return nil
	}
	if !isFor && !isValue {
		return again(o.subject, "its field %s is at no place that is sealed", strings.Join(path, "."))
	}
	text, err := decrypt(o.key, n.Value, joined)
	if err != nil {
		return again(o.subject, "its value %s was changed or moved since it was sealed", path[len(path)-1])
	}
	_, _ = io.WriteString(o.sum, text)
	if isFor {
		o.made = text
	} else {
		o.values[path[1]] = text
	}
	return nil
}

// check compares the MAC, and the subject.
func (o *opening) check() error {
	mac, err := decrypt(o.key, o.mac, o.modified)
	sum := fmt.Sprintf("%X", o.sum.Sum(nil))
	switch {
	case err != nil || subtle.ConstantTimeCompare([]byte(mac), []byte(sum)) != 1:
		return again(o.subject, "its MAC is not that of its values: one was added, removed or changed since they were sealed")
	case o.made == "":
		return again(o.subject, "it does not say which %s it is sealed for", o.subject.kind())
	case o.made != o.subject.String():
		return again(o.subject, "it is sealed for another %s or environment than %s", o.subject.kind(), o.subject)
	}
	return nil
}

// plainText is a value as SOPS adds it to a MAC that covers all.
func plainText(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!bool":
		if strings.EqualFold(n.Value, "true") {
			return "True"
		}
		return "False"
	case "!!int", "!!float":
		var number float64
		if n.Decode(&number) == nil {
			return strconv.FormatFloat(number, 'f', -1, 64)
		}
	}
	return n.Value
}

// child is the value of a field; nil: there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// KeysIn are the keys of a file as it says them, even where it has Problems.
func KeysIn(data []byte) (keys []string) {
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return nil
	}
	values := child(document.Content[0], "stringData")
	for i := 0; values != nil && values.Kind == yaml.MappingNode && i+1 < len(values.Content); i += 2 {
		keys = append(keys, values.Content[i].Value)
	}
	return keys
}
