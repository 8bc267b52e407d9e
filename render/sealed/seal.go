package sealed

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const (
	// AnnotationFor is the annotation whose sealed value names the subject.
	AnnotationFor = "transom.dev/sealed-for"

	// Sealing is the encrypted_regex of every file: the fields that are sealed.
	Sealing = `^(stringData|transom\.dev/sealed-for)$`

	// PullType is the type of every image pull secret.
	PullType = "kubernetes.io/dockerconfigjson"

	// PullKey is the one key of every image pull secret.
	PullKey = ".dockerconfigjson"

	// rekeying is the command that seals files for other recipients.
	rekeying = "transom secret rekey"

	// version is that of the format: the first SOPS that knows mac_only_encrypted.
	version = "3.9.0"
)

// The paths of fields as SOPS seals them along with values.
const (
	pathFor    = "metadata:annotations:" + AnnotationFor + ":"
	pathValues = "stringData:"
)

// Seal makes a file of values for a subject, which the recipients can open. Nobody needs a key for it.
func Seal(s Subject, recipients []string, values map[string]string, now time.Time) ([]byte, error) {
	key := make([]byte, dataKeySize)
	_, _ = rand.Read(key) // it never fails
	f := File{Values: map[string]string{}, Recipients: recipients}
	f.block.modified = now.UTC().Format(time.RFC3339)
	for _, recipient := range recipients {
		wrapped, err := wrap(key, recipient)
		if err != nil {
			return nil, err
		}
		f.block.wrapped = append(f.block.wrapped, wrapped)
	}
	sum := sha512.New()
	_, _ = sum.Write(onlyEncrypted)
	f.For = encrypt(key, s.String(), pathFor)
	_, _ = io.WriteString(sum, s.String())
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f.Values[name] = encrypt(key, values[name], pathValues+name+":")
		_, _ = io.WriteString(sum, values[name])
	}
	f.block.mac = encrypt(key, fmt.Sprintf("%X", sum.Sum(nil)), f.block.modified)
	return f.encode(s), nil
}

// encode is a file as people keep it.
func (f *File) encode(s Subject) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  annotations:\n    %s: %s\n", s.name(), AnnotationFor, f.For)
	b.WriteString(f.ValuesText())
	b.WriteString(f.BlockText())
	return b.Bytes()
}

// ValuesText is the field stringData as YAML, in the order that the MAC covers.
func (f *File) ValuesText() string {
	var b strings.Builder
	b.WriteString("stringData:\n")
	for _, name := range slices.Sorted(maps.Keys(f.Values)) {
		fmt.Fprintf(&b, "  %s: %s\n", quoted(name), f.Values[name])
	}
	return b.String()
}

// BlockText is the field sops as YAML. It is the same text for the same file however that was written.
func (f *File) BlockText() string {
	var b strings.Builder
	b.WriteString("sops:\n  age:\n")
	for i, recipient := range f.Recipients {
		fmt.Fprintf(&b, "  - recipient: %s\n    enc: |\n", recipient)
		for line := range strings.Lines(f.block.wrapped[i]) {
			b.WriteString("      " + line)
		}
	}
	fmt.Fprintf(&b, "  encrypted_regex: %s\n  lastmodified: %q\n  mac: %s\n  mac_only_encrypted: true\n  version: %s\n",
		Sealing, f.block.modified, f.block.mac, cmp.Or(f.block.version, version))
	return b.String()
}

// quoted is the name of a key as YAML reads it as a text: letters, digits, "-", "_" and "." may make a number, a time or a word.
func quoted(name string) string {
	return `"` + name + `"`
}

// wrap seals a data key for one recipient.
func wrap(key []byte, recipient string) (string, error) {
	r, err := parseRecipient(recipient)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, r)
	if err != nil {
		return "", fmt.Errorf("seal for %s: %w", recipient, err)
	}
	if _, err = w.Write(key); err == nil {
		if err = w.Close(); err == nil {
			err = text.Close()
		}
	}
	if err != nil {
		return "", fmt.Errorf("seal for %s: %w", recipient, err)
	}
	return out.String(), nil
}

func parseRecipient(recipient string) (age.Recipient, error) {
	all, err := age.ParseRecipients(strings.NewReader(recipient))
	if err != nil || len(all) != 1 || strings.ContainsAny(recipient, " \t\r\n") {
		return nil, fmt.Errorf("%q is no age recipient; it begins with age1, and \"age-keygen -y FILE\" prints it", shortened(recipient))
	}
	return all[0], nil
}

// CheckRecipient says why a text is no recipient; nil: it is one.
func CheckRecipient(recipient string) error {
	_, err := parseRecipient(recipient)
	return err
}

// shortened tells a recipient from an identity, which somebody may have written by mistake, and repeats none of the latter.
func shortened(recipient string) string {
	if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(recipient)), "AGE-") {
		return "AGE-…"
	}
	const enough = 16
	if len(recipient) > enough {
		return recipient[:enough] + "…"
	}
	return recipient
}
