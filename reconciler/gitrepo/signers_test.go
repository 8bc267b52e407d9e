package gitrepo_test

import (
	"bytes"
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

// made is when the keys of GPG of these tests were made.
var made = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is the configuration of GPG on a day after the keys were made.
func at(days int) *packet.Config {
	return &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return made.AddDate(0, 0, days) }}
}

// newEntity makes a key of GPG that is good for ten days.
func newEntity(t testing.TB) *openpgp.Entity {
	t.Helper()
	config := at(0)
	config.KeyLifetimeSecs = 10 * 24 * 3600
	e, err := openpgp.NewEntity("Forge", "", "forge@acme.example", config)
	require.NoError(t, err)
	return e
}

// armored is the public part of a key of GPG.
func armored(t testing.TB, e *openpgp.Entity) string {
	t.Helper()
	var out bytes.Buffer
	block, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	require.NoError(t, err)
	require.NoError(t, e.Serialize(block))
	require.NoError(t, block.Close())
	return out.String() + "\n"
}

// signedBy puts a commit on top of main that a key of GPG signed on a day, good or not; altered: it is not the content that was signed.
func (b *bare) signedBy(e *openpgp.Entity, day int, altered string) string {
	b.t.Helper()
	content := b.git("cat-file", "commit", b.git("commit-tree", "-m", "merge", "-p", b.head(), b.head()+"^{tree}")) + "\n"
	var signature bytes.Buffer
	block, err := armor.Encode(&signature, openpgp.SignatureType, nil)
	require.NoError(b.t, err)
	key := e.PrimaryKey
	made := &packet.Signature{
		Version: 4, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA256, CreationTime: at(day).Now(), IssuerKeyId: &key.KeyId,
	}
	hash := crypto.SHA256.New()
	_, err = hash.Write([]byte(content))
	require.NoError(b.t, err)
	require.NoError(b.t, made.Sign(hash, e.PrivateKey, at(day)))
	require.NoError(b.t, made.Serialize(block))
	require.NoError(b.t, block.Close())
	header, message, _ := strings.Cut(content, "\n\n")
	lines := strings.ReplaceAll(strings.TrimSpace(signature.String()), "\n", "\n ")
	id := b.run(header+"\ngpgsig "+lines+"\n\n"+message+altered, "-C", b.dir, "hash-object", "-t", "commit", "-w", "--stdin")
	b.git("update-ref", "refs/heads/main", id)
	return id
}

// refused says why the head of main is not signed by a key of a file.
func (b *bare) refused(r *gitrepo.Remote, file string) string {
	b.t.Helper()
	signers, err := gitrepo.ReadSigners(file)
	require.NoError(b.t, err)
	head, err := r.Fetch(b.t.Context())
	require.NoError(b.t, err)
	why, err := r.Refused(b.t.Context(), head.Commit, signers)
	require.NoError(b.t, err)
	return why
}

func TestOnlyAKeyOfTheFileVouches(t *testing.T) {
	origin := newBare(t)
	remote := origin.remote()
	origin.commit("unsigned", map[string]string{"a": "a"})
	forge, stranger, leaked := newEntity(t), newEntity(t), newEntity(t)
	private, line := writeKey(t, "")
	other, _ := writeKey(t, "")
	require.NoError(t, leaked.RevokeKey(packet.KeyCompromised, "found on a train", at(5)))
	file := filepath.Join(t.TempDir(), "signers")
	require.NoError(t, os.WriteFile(file, []byte("# release managers\n"+line+"\n# the forge\n"+armored(t, forge)+armored(t, leaked)), 0o644))

	require.Equal(t, "it is not signed", origin.refused(remote, file))
	origin.signedBy(forge, 3, "")
	require.Empty(t, origin.refused(remote, file), "the key is good when it signs, and it does not matter that it expires later")
	origin.signedBy(forge, 11, "")
	require.Contains(t, origin.refused(remote, file), ", which had expired")
	origin.signedBy(forge, 3, "altered\n")
	require.Contains(t, origin.refused(remote, file), "does not hold")
	origin.signedBy(stranger, 3, "")
	require.Contains(t, origin.refused(remote, file), "it is signed by the GPG key "+stranger.PrimaryKey.KeyIdString()+", which is not allowed")
	origin.signedBy(leaked, 3, "")
	require.Contains(t, origin.refused(remote, file), ", which is revoked")

	for key, says := range map[string]string{private: "", other: ", which is not allowed"} {
		head, err := remote.Fetch(t.Context())
		require.NoError(t, err)
		c := transom("by hand", map[string][]byte{"b": []byte(key)})
		c.Key = readKey(t, key)
		_, err = remote.Commit(t.Context(), head, c)
		require.NoError(t, err)
		why := origin.refused(remote, file)
		require.Equal(t, says == "", why == "", why)
		require.Contains(t, why, says)
	}
}

// TestSignaturesOfTheRealToolsVouch: those of ssh-keygen and gpg, as git commit -S has them made.
func TestSignaturesOfTheRealToolsVouch(t *testing.T) {
	origin := newBare(t)
	remote := origin.remote()
	origin.commit("unsigned", map[string]string{"a": "a"})
	file := filepath.Join(t.TempDir(), "signers")
	sign := func(config ...string) {
		id := origin.git(append(config, "commit-tree", "-S", "-m", "theirs", "-p", origin.head(), origin.head()+"^{tree}")...)
		origin.git("update-ref", "refs/heads/main", id)
		require.Empty(t, origin.refused(remote, file))
	}
	key, line := writeKey(t, "")
	require.NoError(t, os.WriteFile(file, []byte("release@acme.example "+line), 0o644))
	sign("-c", "gpg.format=ssh", "-c", "user.signingKey="+key)

	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // the path of its agent's socket has to be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	t.Setenv("GNUPGHOME", home)
	gpg := func(args ...string) []byte {
		out, err := exec.Command("gpg", append([]string{"--batch", "--quiet"}, args...)...).Output()
		require.NoError(t, err)
		return out
	}
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	gpg("--passphrase", "", "--quick-gen-key", "forge@acme.example", "rsa2048", "sign", "never")
	require.NoError(t, os.WriteFile(file, gpg("--armor", "--export"), 0o644))
	sign("-c", "user.signingKey=forge@acme.example")
}

func TestFilesOfSignersSayWhatIsWrong(t *testing.T) {
	_, line := writeKey(t, "")
	key := armored(t, newEntity(t))
	file := filepath.Join(t.TempDir(), "signers")
	for content, says := range map[string]string{
		"":                                       "holds no key",
		"# nothing\n":                            "holds no key",
		line + "nonsense\n":                      "signers: 2: is no SSH public key",
		key[:len(key)/2]:                         "signers: 1: the block of GPG does not end",
		line + strings.Replace(key, "m", "n", 1): "signers: 2: is no public key of GPG",
		"-----BEGIN PGP PRIVATE KEY BLOCK-----\n": "is a private key",
		"-----BEGIN OPENSSH PRIVATE KEY-----\n":   "is a private key",
		"-----BEGIN RSA PRIVATE KEY-----\n":       "is a private key",
		"PuTTY-User-Key-File-3: ssh-ed25519\n":    "is a private key",
		strings.Repeat("#\n", 1<<19+1):            "longer than 1 MiB",
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
		_, err := gitrepo.ReadSigners(file)
		require.ErrorContains(t, err, says)
	}
	_, err := gitrepo.ReadSigners(file + "nope")
	require.ErrorContains(t, err, "no such file")
}
