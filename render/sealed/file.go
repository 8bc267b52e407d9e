package sealed

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/strictyaml"
)

// A File is all of a file that can be read without a key.
type File struct {
	For        string            // the subject, sealed
	Values     map[string]string // by key, sealed
	Recipients []string          // in the order of the file

	block block
}

// block is the field sops, but for the recipients.
type block struct {
	wrapped       []string // the data key, sealed for each recipient
	modified, mac string
	version       string
}

// Read reads the file of a subject. Where it has a Problem there is no File. The recipients are those that may read the values of
// the subject: the file must be sealed for exactly these.
func Read(data []byte, s Subject, recipients []string) (*File, []strictyaml.Problem) {
	r, problems := read(data, s)
	if len(problems) > 0 {
		return nil, problems
	}
	if r.compareRecipients(recipients); len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.file, nil
}

// ReadForAnyone is Read for whichever recipients the file is sealed.
func ReadForAnyone(data []byte, s Subject) (*File, []strictyaml.Problem) {
	r, problems := read(data, s)
	if len(problems) > 0 {
		return nil, problems
	}
	return r.file, nil
}

func read(data []byte, s Subject) (*reader, []strictyaml.Problem) {
	documents, problems := strictyaml.Scan(data, strictyaml.Options{})
	if len(problems) > 0 {
		return nil, problems
	}
	if len(documents) == 0 || documents[0].Kind != yaml.MappingNode {
		return nil, []strictyaml.Problem{{Line: 1, Column: 1, Rule: "sealed", Message: "holds no Secret; write it with: " + s.setting("KEY")}}
	}
	r := &reader{subject: s, file: &File{Values: map[string]string{}}}
	r.readRoot(documents[0])
	return r, r.problems
}

// reader reads one file, and finds its Problems.
type reader struct {
	subject  Subject
	file     *File
	problems []strictyaml.Problem
	listed   *yaml.Node // the recipients
}

// mostProblems is how many Problems of one file are found: nobody reads more of them.
const mostProblems = 50

func (r *reader) report(at *yaml.Node, field, format string, args ...any) {
	if len(r.problems) >= mostProblems {
		return
	}
	r.problems = append(r.problems, strictyaml.Problem{
		Line: at.Line, Column: at.Column, Field: field, Rule: "sealed", Message: fmt.Sprintf(format, args...),
	})
}

// each calls visit for the fields of a mapping, and reports anything else.
func (r *reader) each(n *yaml.Node, field string, visit func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.report(n, field, "must be a mapping")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		visit(n.Content[i], n.Content[i+1])
	}
}

func (r *reader) readRoot(root *yaml.Node) {
	seen := map[string]*yaml.Node{}
	r.each(root, "", func(key, value *yaml.Node) {
		seen[key.Value] = value
		switch key.Value {
		case "apiVersion":
			r.expect(value, key.Value, "v1")
		case "kind":
			r.expect(value, key.Value, "Secret")
		case "metadata":
			r.readMetadata(value, seen["stringData"] != nil)
		case "stringData":
			r.readValues(value)
		case "sops":
			r.readBlock(value)
		case "type":
			r.readType(key, value)
		case "data":
			r.report(key, "data", "values are sealed in stringData, as text; write them with: %s", r.subject.setting("KEY"))
		default:
			r.meaningless(key)
		}
	})
	for _, field := range []string{"apiVersion", "kind", "metadata", "stringData", "sops"} {
		switch {
		case seen[field] != nil:
		case field == "sops":
			r.report(root, field, "is required: the file is not sealed, so that anybody who reads the repository has its values; take it back, "+
				"change the values where they come from, and write them with: %s", r.subject.setting("KEY"))
		default:
			r.report(root, field, "is required; write the file with: %s", r.subject.setting("KEY"))
		}
	}
}

func (r *reader) meaningless(key *yaml.Node) {
	from := "the offering"
	if r.subject.PullSecret != "" {
		from = "Transom"
	}
	r.report(key, key.Value, "means nothing here: a file of sealed values has apiVersion, kind, metadata, stringData and sops, "+
		"and all else of the Secret comes from %s; remove it", from)
}

// readType reads the type of the Secret, which only an image pull secret may say.
func (r *reader) readType(key, value *yaml.Node) {
	switch {
	case r.subject.PullSecret == "":
		r.meaningless(key)
	case value.Value != PullType:
		r.report(value, "type", "must be %s, or be left out: an image pull secret has no other type", PullType)
	}
}

func (r *reader) expect(n *yaml.Node, field, want string) {
	if n.Kind != yaml.ScalarNode || n.Value != want {
		r.report(n, field, "must be %s", want)
	}
}

func (r *reader) readMetadata(n *yaml.Node, late bool) {
	if late {
		r.report(n, "metadata", "must come before stringData, as in the state repository: the MAC covers sealed values in their order")
	}
	r.each(n, "metadata", func(key, value *yaml.Node) {
		switch key.Value {
		case "name":
			r.expect(value, "metadata.name", r.subject.name())
		case "annotations":
			r.each(value, "metadata.annotations", func(key, value *yaml.Node) {
				field := "metadata.annotations." + key.Value
				switch {
				case key.Value != AnnotationFor:
					r.report(key, field, "means nothing here: annotations come from the offering; remove it")
				case !r.isSealed(key, value, field):
				default:
					r.file.For = value.Value
				}
			})
		default:
			r.report(key, "metadata."+key.Value, "means nothing here: it comes from the offering; remove it")
		}
	})
	if r.file.For == "" && len(r.problems) == 0 {
		r.report(n, "metadata.annotations", "lacks %s, whose sealed value is %s; write the file with: %s", AnnotationFor, r.subject, r.subject.setting("KEY"))
	}
}

// validKey is the name of a key of a Secret.
var validKey = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

// CheckKey says why a text is no name of a key; nil: it is one.
func CheckKey(name string) error {
	if !validKey.MatchString(name) || name == "." || strings.HasPrefix(name, "..") {
		return fmt.Errorf("%q is no key of a Secret: it has letters, digits, \"-\", \"_\" and \".\"", name)
	}
	return nil
}

func (r *reader) readValues(n *yaml.Node) {
	last := ""
	r.each(n, "stringData", func(key, value *yaml.Node) {
		field := "stringData." + key.Value
		switch {
		case CheckKey(key.Value) != nil:
			r.report(key, "stringData", "%v", CheckKey(key.Value))
		case !r.isSealed(key, value, field):
		case key.Value < last:
			r.report(key, field, "must come before %s: the MAC covers the values in their order, and the state repository has them in that "+
				"of the alphabet; write them so with \"sops edit\", or seal them again: %s", last, r.subject.setting("KEY"))
		default:
			r.file.Values[key.Value] = value.Value
			last = key.Value
		}
	})
	if r.subject.PullSecret != "" {
		r.readPullKey(n)
		return
	}
	if len(n.Content) == 0 {
		r.report(n, "stringData", "has no values; delete the file, or add one: %s", r.subject.setting("KEY"))
	}
}

// readPullKey finds an image pull secret that has other keys than the one that Kubernetes reads.
func (r *reader) readPullKey(n *yaml.Node) {
	missing := true
	r.each(n, "stringData", func(key, _ *yaml.Node) {
		if key.Value == PullKey {
			missing = false
		} else {
			r.report(key, "stringData", "%s means nothing here: an image pull secret has the key %s alone; remove it", key.Value, PullKey)
		}
	})
	if missing {
		r.report(n, "stringData", "lacks the key %s, whose value is the JSON with the logins of registries; write it with: %s", PullKey, r.subject.setting(PullKey))
	}
}

// isSealed reports a value that is not sealed, or no text. It repeats none.
func (r *reader) isSealed(key, value *yaml.Node, field string) bool {
	kind := ""
	if value.Kind == yaml.ScalarNode {
		kind = typeOf(value.Value)
	}
	switch kind {
	case "str":
		return true
	case "":
		r.report(key, field, "is not sealed: anybody who reads the repository has its value, or it is damaged; take it back, "+
			"change the value where it comes from, and write it with: %s", r.subject.setting(key.Value))
	default:
		r.report(key, field, "was sealed as %s, and a Secret has texts only; write it in quotes with \"sops edit\", or seal it again: %s",
			kind, r.subject.setting(key.Value))
	}
	return false
}

func (r *reader) readBlock(n *yaml.Node) {
	b := &r.file.block
	only := false
	r.each(n, "sops", func(key, value *yaml.Node) {
		field := "sops." + key.Value
		switch key.Value {
		case "age":
			r.listed = key
			r.readRecipients(value)
		case "encrypted_regex":
			if value.Value != Sealing {
				r.report(key, field, "must be %s, so that the values and nothing else are sealed", Sealing)
			}
		case "mac_only_encrypted":
			only = value.Value == "true"
		case "lastmodified":
			at, err := time.Parse(time.RFC3339, value.Value)
			if b.modified = value.Value; err != nil || at.Format(time.RFC3339) != value.Value {
				r.report(key, field, "must be a time such as 2026-05-04T13:37:00Z")
			}
		case "mac":
			if b.mac = value.Value; typeOf(b.mac) != "str" {
				r.report(key, field, "is damaged; seal the values again: %s", r.subject.setting("KEY"))
			}
		case "version":
			if b.version = value.Value; !validVersion.MatchString(b.version) {
				r.report(key, field, "must be a version of SOPS such as %s", version)
			}
		default:
			if len(value.Content) > 0 || value.Value != "" && value.ShortTag() != "!!null" {
				r.report(key, field, "is not supported: values are sealed for age recipients, by encrypted_regex; seal them again: %s", r.subject.setting("KEY"))
			}
		}
	})
	switch {
	case len(r.problems) > 0:
	case b.mac == "" || b.modified == "" || r.listed == nil || child(n, "encrypted_regex") == nil:
		r.report(n, "sops", "lacks one of age, encrypted_regex, lastmodified and mac; seal the values again: %s", r.subject.setting("KEY"))
	case !only:
		r.report(n, "sops.mac_only_encrypted", "must be true: a MAC over all of the file would not be that of the Secret, "+
			"whose name and labels are the instance's; seal it again with --mac-only-encrypted, or: %s", r.subject.setting("KEY"))
	}
}

var validVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)

func (r *reader) readRecipients(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		r.report(n, "sops.age", "must be a list")
		return
	}
	for i, item := range n.Content {
		field := fmt.Sprintf("sops.age[%d]", i)
		recipient, wrapped := child(item, "recipient"), child(item, "enc")
		switch {
		case recipient == nil || wrapped == nil:
			r.report(item, field, "must have recipient and enc")
		case CheckRecipient(recipient.Value) != nil:
			r.report(recipient, field+".recipient", "%v", CheckRecipient(recipient.Value))
		case !armored.MatchString(wrapped.Value):
			r.report(wrapped, field+".enc", "is damaged; seal the values again: %s", r.subject.setting("KEY"))
		default:
			r.file.Recipients = append(r.file.Recipients, recipient.Value)
			r.file.block.wrapped = append(r.file.block.wrapped, wrapped.Value)
		}
	}
}

// armored is a data key as age seals it.
var armored = regexp.MustCompile(`^-----BEGIN AGE ENCRYPTED FILE-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END AGE ENCRYPTED FILE-----\n$`)

// compareRecipients reports recipients too many and too few.
func (r *reader) compareRecipients(want []string) {
	has, may := setOf(r.file.Recipients), setOf(want)
	for _, one := range want {
		if !has[one] {
			r.report(r.listed, "sops.age", "is not sealed for %s, which reads %s; seal the values again: %s, or have a key that opens them "+
				"do it for all files: %s", one, r.subject.secrets(), r.subject.setting("KEY"), rekeying)
		}
	}
	for _, one := range r.file.Recipients {
		if !may[one] {
			r.report(r.listed, "sops.age", "is sealed for %s, which is not to read %s; seal the values again: %s, or have a key that opens them "+
				"do it for all files: %s", one, r.subject.secrets(), r.subject.setting("KEY"), rekeying)
		}
	}
}

func setOf(texts []string) map[string]bool {
	set := make(map[string]bool, len(texts))
	for _, text := range texts {
		set[text] = true
	}
	return set
}
