package access_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

const hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestFileOfAccessSays(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"an unknown field":           {"tokens: [{name: a, rolle: viewer}]", "line 1: field rolle not found"},
		"an unknown role":            {"tokens: [{name: a, role: root}]", `no role "root"; there are viewer, developer and operator`},
		"no role":                    {"tokens: [{name: a, sha256: " + hash + "}]", `tokens[0] "a": role is missing`},
		"an empty entry":             {"tokens: [null]", "tokens[0] is empty"},
		"a developer of no team":     {"tokens: [{name: a, role: developer, sha256: " + hash + "}]", "team is missing"},
		"an operator of a team":      {"tokens: [{name: a, role: operator, team: b, sha256: " + hash + "}]", "operator has all teams"},
		"two documents":              {"{}\n---\n{}", "more than one YAML document"},
		"no audience":                {"kubernetes: {roles: []}", "kubernetes.audience is missing"},
		"outside a cluster":          {"kubernetes: {audience: transom}", "does not run in a cluster"},
		"a grant for nobody":         {"kubernetes: {audience: a, roles: [{role: viewer}]}", "kubernetes.roles[0]: give either user or group"},
		"an issuer without TLS":      {"oidc: {issuer: 'http://login.acme.example', clientID: a, url: 'https://a.example'}", "oidc.issuer: \"http://login.acme.example\": it has to be https"},
		"a console without TLS":      {"oidc: {issuer: 'https://login.acme.example', clientID: a, url: 'http://a.example'}", "oidc.url"},
		"no client":                  {"oidc: {issuer: 'https://login.acme.example', url: 'https://a.example'}", "oidc.clientID is missing"},
		"a secret that is not there": {"oidc: {issuer: 'https://login.acme.example', url: 'https://a.example', clientID: a, clientSecretFile: none}", "oidc.clientSecretFile: open"},
		"a session without end":      {"session: {lifetime: 720h}", "session.lifetime: give at most 24h"},
		"a key that is short":        {"session: {keyFile: short}", "session.keyFile: each line is 32 bytes"},
		"no key":                     {"session: {keyFile: empty}", "session.keyFile has no key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range map[string]string{"access.yaml": c.content, "short": "YWJj\n", "empty": "\n"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
			}
			_, err := access.New(access.Options{File: filepath.Join(dir, "access.yaml")})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "access.yaml")
		})
	}
}

// TestATokenInPlaceOfItsDigestIsNotTold: the error lands in a log.
func TestATokenInPlaceOfItsDigestIsNotTold(t *testing.T) {
	token, _ := access.NewToken()
	file := filepath.Join(t.TempDir(), "access.yaml")
	require.NoError(t, os.WriteFile(file, []byte("tokens: [{name: a, role: viewer, sha256: "+token+"}]"), 0o600))
	_, err := access.New(access.Options{File: file})
	require.ErrorContains(t, err, "never the token itself")
	require.NotContains(t, err.Error(), token[len("transom_"):])
}

func TestAFileIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("# long\n", 1<<18)), 0o600))
	_, err := access.New(access.Options{File: file})
	require.ErrorContains(t, err, "longer than 1 MiB")
}

func key(b byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), 32)))
}
