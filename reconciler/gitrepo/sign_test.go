package gitrepo_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"transom.dev/reconciler/gitrepo"
)

// writeKey makes a key pair, and returns the private key's file and the public one's line.
func writeKey(t testing.TB, passphrase string) (file, line string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "id_ed25519")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return file, string(ssh.MarshalAuthorizedKey(key))
}

func readKey(t testing.TB, file string) *gitrepo.SigningKey {
	t.Helper()
	key, err := gitrepo.ReadSigningKey(file)
	require.NoError(t, err)
	return key
}

// TestSignedCommitIsVerified by Git itself, and with git's own signature the other way round.
func TestSignedCommitIsVerified(t *testing.T) {
	origin := newBare(t)
	remote := origin.remote()
	file, line := writeKey(t, "")
	key := readKey(t, file)
	parent, err := remote.Fetch(t.Context())
	require.NoError(t, err)
	c := transom("sign\n\nTransom-Platform-Commit: 1\n", map[string][]byte{"a": []byte("a")})
	c.Key = key
	head, err := remote.Commit(t.Context(), parent, c)
	require.NoError(t, err)

	signed, err := remote.Signed(t.Context(), head.Commit)
	require.NoError(t, err)
	require.True(t, signed.Valid)
	require.True(t, signed.By.Is(key.Public()))
	require.Equal(t, "signed by "+key.Public().String(), signed.String())
	origin.git("fsck", "--strict")
	info, err := remote.Show(t.Context(), head.Commit)
	require.NoError(t, err)
	require.Equal(t, "sign", info.Subject)

	allowed := filepath.Join(t.TempDir(), "allowed")
	require.NoError(t, os.WriteFile(allowed, []byte(`transom@example.com namespaces="git" `+line), 0o600))
	said := origin.git("-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", head.Commit)
	require.Contains(t, said, "Good \"git\" signature for transom@example.com")

	theirs := origin.git("-c", "gpg.format=ssh", "-c", "user.signingKey="+file, "commit-tree", "-S", "-m", "theirs", head.Commit+"^{tree}")
	origin.git("update-ref", "refs/heads/main", theirs)
	_, err = remote.Fetch(t.Context())
	require.NoError(t, err)
	signed, err = remote.Signed(t.Context(), theirs)
	require.NoError(t, err)
	require.True(t, signed.Valid && signed.By.Is(key.Public()))
}

func TestSignatureIsOfOneContent(t *testing.T) {
	origin := newBare(t)
	remote := origin.remote()
	file, _ := writeKey(t, "")
	parent, err := remote.Fetch(t.Context())
	require.NoError(t, err)
	c := transom("sign", map[string][]byte{"a": []byte("a")})
	c.Key = readKey(t, file)
	head, err := remote.Commit(t.Context(), parent, c)
	require.NoError(t, err)

	content := origin.git("cat-file", "commit", head.Commit)
	forged := origin.run(content+" it with other words\n", "-C", origin.dir, "hash-object", "-t", "commit", "-w", "--stdin")
	unsigned := origin.commit("nothing", map[string]string{"b": "b"})
	origin.git("update-ref", "refs/heads/main", forged)
	_, err = remote.Fetch(t.Context())
	require.NoError(t, err)
	signed, err := remote.Signed(t.Context(), forged)
	require.NoError(t, err)
	require.False(t, signed.Valid)
	require.Contains(t, signed.String(), "not with this content")

	origin.git("update-ref", "refs/heads/main", unsigned)
	_, err = remote.Fetch(t.Context())
	require.NoError(t, err)
	signed, err = remote.Signed(t.Context(), unsigned)
	require.NoError(t, err)
	require.Equal(t, "not signed", signed.String())
}

func TestKeyFilesSayWhatIsWrong(t *testing.T) {
	locked, line := writeKey(t, "secret")
	open, other := writeKey(t, "")
	require.NoError(t, os.Chmod(open, 0o644))
	garbage := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(garbage, []byte("no key"), 0o600))
	for file, says := range map[string]string{
		locked:           "passphrase",
		open:             "chmod 600",
		garbage:          "is no SSH private key",
		garbage + "nope": "no such file",
	} {
		_, err := gitrepo.ReadSigningKey(file)
		require.ErrorContains(t, err, says)
	}

	keys := filepath.Join(t.TempDir(), "keys")
	lines := "# ours\n\n" + line + `transom@example.com namespaces="git,file" ` + other + "a@example.com " + other
	require.NoError(t, os.WriteFile(keys, []byte(lines), 0o644))
	read, err := gitrepo.ReadPublicKeys(keys)
	require.NoError(t, err)
	require.Len(t, read, 3)
	for content, says := range map[string]string{
		"":                                   "holds none",
		"# nothing\n":                        "holds none",
		line + "nonsense\n":                  ":2: is no SSH public key",
		"a cert-authority " + other:          "cert-authority",
		`a namespaces="file" ` + other:       "namespaces",
		`a valid-before="20300101" ` + other: "valid-before",
	} {
		require.NoError(t, os.WriteFile(keys, []byte(content), 0o644))
		_, err := gitrepo.ReadPublicKeys(keys)
		require.ErrorContains(t, err, says, content)
	}
}
