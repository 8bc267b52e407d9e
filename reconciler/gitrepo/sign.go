package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// signatureNamespace is the one that Git signs commits in.
const signatureNamespace = "git"

// A SigningKey is an SSH private key that commits are signed with. The signature is the one that git commit -S makes with
// gpg.format=ssh, so that git verify-commit accepts it. Neither it nor its parts can be printed.
type SigningKey struct{ signer ssh.Signer }

// String names the public key.
func (k *SigningKey) String() string { return k.Public().String() }

// GoString is String: %#v shows no more.
func (k *SigningKey) GoString() string { return k.String() }

// Public is the key that verifies the signatures of this one.
func (k *SigningKey) Public() PublicKey { return PublicKey{k.signer.PublicKey()} }

// openTo are the permissions that the file of a private key must not have. Kubernetes gives the group of the process the
// right to read its secrets.
const openTo = 0o027

// ReadSigningKey reads a private key as ssh-keygen writes it, without a passphrase.
func ReadSigningKey(file string) (*SigningKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	if open := info.Mode().Perm(); open&openTo != 0 {
		return nil, fmt.Errorf("read the signing key: %s may be used by others (its mode is %#o): chmod 600 it", file, open)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(content)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("read the signing key: %s is protected by a passphrase, which nobody can type in here; "+
			"make a key without one: ssh-keygen -t ed25519 -N '' -f FILE", file)
	case err != nil:
		return nil, fmt.Errorf("read the signing key: %s is no SSH private key; make one: ssh-keygen -t ed25519 -N '' -f FILE", file)
	}
	return &SigningKey{signer}, nil
}

// sign returns the armored signature of a commit's content.
func (k *SigningKey) sign(content []byte) (string, error) {
	signature, err := sshsig.Sign(bytes.NewReader(content), k.signer, sshsig.HashSHA512, signatureNamespace)
	if err != nil {
		return "", fmt.Errorf("sign the commit: %w", err)
	}
	return string(sshsig.Armor(signature)), nil
}

// A PublicKey is an SSH public key.
type PublicKey struct{ key ssh.PublicKey }

// String is the key's fingerprint, as ssh-keygen -l shows it.
func (k PublicKey) String() string { return ssh.FingerprintSHA256(k.key) }

// Is says whether two keys are the same.
func (k PublicKey) Is(o PublicKey) bool { return bytes.Equal(k.key.Marshal(), o.key.Marshal()) }

// ReadPublicKeys reads a file of public keys, one a line: as in authorized_keys, or as in the allowed signers that git
// verify-commit reads. Empty lines and those that begin with # are omitted.
func ReadPublicKeys(file string) ([]PublicKey, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read public keys: %w", err)
	}
	var keys []PublicKey
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if isPrivate(line) {
			return nil, fmt.Errorf("read public keys: %s:%d: %w", file, n, errPrivate)
		}
		key, err := parsePublicKey(line)
		if err != nil {
			return nil, fmt.Errorf("read public keys: %s:%d: %w", file, n, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("read public keys: %s holds none; put one a line, as in a .pub file", file)
	}
	return keys, nil
}

// parsePublicKey reads a line. An option that narrows down the use of a key is refused unless it is obeyed.
func parsePublicKey(line string) (PublicKey, error) {
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil { // a line of allowed signers has options after its principals
		principals, rest, _ := strings.Cut(line, " ")
		if key, _, options, _, err = ssh.ParseAuthorizedKey([]byte(rest)); err != nil || principals == "" {
			return PublicKey{}, errors.New("is no SSH public key; write one a line, such as: ssh-ed25519 AAAA… comment")
		}
	}
	for _, option := range options {
		name, value, has := strings.Cut(strings.ToLower(option), "=")
		switch {
		case name == "namespaces" && strings.Contains(","+strings.Trim(value, `"`)+",", ","+signatureNamespace+","):
		case name == "cert-authority", has:
			return PublicKey{}, fmt.Errorf("the option %s is not known here; a key is accepted for as long as the file has it", option)
		}
	}
	return PublicKey{key}, nil
}

// Signed says who signed a commit.
type Signed struct {
	By    PublicKey // of the signature
	Valid bool      // it is one of this very content, made to sign a commit
	Some  bool      // there is a signature
}

// String is such as "signed by SHA256:…".
func (s Signed) String() string {
	switch {
	case !s.Some:
		return "not signed"
	case s.By.key == nil:
		return "signed in a way that is not known here"
	case !s.Valid:
		return "signed by " + s.By.String() + ", but not with this content"
	}
	return "signed by " + s.By.String()
}

// signatureHeader begins the lines of a commit's header that have its signature.
const signatureHeader = "gpgsig "

// signedOf reads a commit as it is stored. The signed content is all of it but the signature.
func signedOf(commit []byte) Signed {
	content, armored := splitSignature(commit)
	if armored == nil {
		return Signed{}
	}
	signature, err := sshsig.Unarmor(armored)
	if err != nil {
		return Signed{Some: true}
	}
	err = sshsig.Verify(bytes.NewReader(content), signature, signature.PublicKey, signature.HashAlgorithm, signatureNamespace)
	return Signed{Some: true, By: PublicKey{signature.PublicKey}, Valid: err == nil}
}

// splitSignature takes the signature out of a commit's header. Of a commit with several, all are omitted of the content, as
// Git does, and the first counts.
func splitSignature(commit []byte) (content, armored []byte) {
	header, body, _ := bytes.Cut(commit, []byte("\n\n"))
	within, found := false, false
	for line := range bytes.Lines(append(bytes.Clone(header), '\n')) {
		switch {
		case bytes.HasPrefix(line, []byte(signatureHeader)) || bytes.HasPrefix(line, []byte("gpgsig-sha256 ")):
			within = true
			if bytes.HasPrefix(line, []byte(signatureHeader)) && armored == nil {
				found, armored = true, bytes.Clone(line[len(signatureHeader):])
				continue
			}
			found = false
		case within && bytes.HasPrefix(line, []byte(" ")):
			if found {
				armored = append(armored, line[1:]...)
			}
		default:
			within = false
			content = append(content, line...)
		}
	}
	return append(append(content, '\n'), body...), armored
}
