package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The bounds of what is read about signatures.
const (
	mostSignerBytes    = 1 << 20
	mostSignatureBytes = 64 << 10
)

// The marks of an armored block of GPG.
const (
	pgpPublic = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	pgpEnd    = "-----END PGP"
)

// Signers are the SSH and GPG keys whose signatures of commits are accepted.
type Signers struct {
	ssh  []PublicKey
	gpg  openpgp.EntityList
	file []byte // the content that they were read from
}

// Is says whether two were read from the same content.
func (s *Signers) Is(o *Signers) bool { return bytes.Equal(s.file, o.file) }

// ReadSigners reads a file of public keys: SSH keys, one a line, as ReadPublicKeys takes them, and armored blocks of GPG, as
// gpg --armor --export and forges give them. Lines that begin with # are omitted.
func ReadSigners(file string) (*Signers, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the keys that sign: %w", err)
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, mostSignerBytes+1))
	if err == nil && len(content) > mostSignerBytes {
		err = errors.New("longer than 1 MiB")
	}
	var s *Signers
	if err == nil {
		s, err = parseSigners(content)
	}
	if err != nil {
		return nil, fmt.Errorf("read the keys that sign: %s: %w", file, err)
	}
	return s, nil
}

// errPrivate is the error of a private key where a public one belongs.
var errPrivate = errors.New("is a private key, which belongs to its owner alone; take it out, and write the line of its .pub file, or what gpg --armor --export KEY prints")

// isPrivate says whether a line begins a private key of any kind: of OpenSSH, of PEM, of PuTTY or of GPG.
func isPrivate(line string) bool {
	return strings.HasPrefix(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY") || strings.HasPrefix(line, "PuTTY-User-Key-File-")
}

func parseSigners(content []byte) (*Signers, error) {
	s := &Signers{file: content}
	var block strings.Builder
	begun, n := 0, 0 // begun is the line where the block of GPG begins that is being read
	for line := range strings.Lines(string(content)) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case isPrivate(line):
			return nil, fmt.Errorf("%d: %w", n, errPrivate)
		case begun == 0 && line == pgpPublic:
			begun = n
			block.Reset()
			block.WriteString(line + "\n")
		case begun > 0:
			block.WriteString(line + "\n")
			if !strings.HasPrefix(line, pgpEnd) {
				continue
			}
			keys, err := openpgp.ReadArmoredKeyRing(strings.NewReader(block.String()))
			if err != nil {
				return nil, fmt.Errorf("%d: is no public key of GPG: %w; write what gpg --armor --export KEY prints", begun, err)
			}
			s.gpg, begun = append(s.gpg, keys...), 0
		case line == "", strings.HasPrefix(line, "#"):
		default:
			key, err := parsePublicKey(line)
			if err != nil {
				return nil, fmt.Errorf("%d: %w, or an armored block of GPG", n, err)
			}
			s.ssh = append(s.ssh, key)
		}
	}
	if begun > 0 {
		return nil, fmt.Errorf("%d: the block of GPG does not end", begun)
	}
	if len(s.ssh)+len(s.gpg) == 0 {
		return nil, errors.New("holds no key; put SSH keys one a line, as in a .pub file, and what gpg --armor --export KEY prints")
	}
	return s, nil
}

// refuse says why a commit, as it is stored, is not signed by one of the signers; empty: it is.
func (s *Signers) refuse(commit []byte) string {
	content, armored := splitSignature(commit)
	switch signed := signedOf(commit); {
	case armored == nil:
		return "it is not signed"
	case len(armored) > mostSignatureBytes:
		return "its signature is longer than 64 KiB"
	case signed.By.key == nil:
		return s.refuseGPG(content, armored)
	case !signed.Valid:
		return "it is " + signed.String()
	case !slices.ContainsFunc(s.ssh, signed.By.Is):
		return "it is signed by the SSH key " + signed.By.String() + ", which is not allowed"
	}
	return ""
}

// refuseGPG judges a signature by the time that it says it was made at: a key that expired later, or was replaced, still vouches for
// the commits of before. A key that was revoked since somebody else has it vouches for none.
func (s *Signers) refuseGPG(content, armored []byte) string {
	const unknown = "it is signed in a way that is not known here"
	block, err := armor.Decode(bytes.NewReader(armored))
	if err != nil || block.Type != openpgp.SignatureType {
		return unknown
	}
	binary, err := io.ReadAll(block.Body)
	if err != nil {
		return unknown
	}
	first, err := packet.Read(bytes.NewReader(binary))
	signature, ok := first.(*packet.Signature)
	if err != nil || !ok || signature.IssuerKeyId == nil {
		return unknown
	}
	key := fmt.Sprintf("the GPG key %016X", *signature.IssuerKeyId)
	made := func() time.Time { return signature.CreationTime }
	_, err = openpgp.CheckDetachedSignature(s.gpg, bytes.NewReader(content), bytes.NewReader(binary), &packet.Config{Time: made})
	switch {
	case err == nil:
		return ""
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return "it is signed by " + key + ", which is not allowed"
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return "it is signed by " + key + ", which had expired"
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return "it is signed by " + key + ", which is revoked"
	}
	return fmt.Sprintf("its signature by %s does not hold: %v", key, err)
}
