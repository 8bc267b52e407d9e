package gitrepo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

func TestCredentialsFileThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	newKeyFile(t, filepath.Join(dir, "key"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "junk"), []byte("junk"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "none"), nil, 0o600))
	file := filepath.Join(dir, "credentials.yaml")
	for content, want := range map[string]string{
		"credentials: [{url: 'https://h', tokn: s3cret}]":                 "credentials.yaml: line 1: field tokn not found; known are url, username, password, token, caFile, privateKeyFile and knownHostsFile",
		"credentials: [{url: 'https://h', token: [s3cret]}]":              "line 1: cannot unmarshal !!seq: not of this form",
		"credentials: s3cret":                                             "line 1: cannot unmarshal !!str (value not shown): not of this form",
		"credentials: [{url: 'https://h', token: s3cret, token: s3cret}]": `mapping key "token" already defined`,
		"{}\n---\n{}":                                                                              "more than one YAML document; put all entries into one list of credentials",
		"credentials: [{token: s3cret}]":                                                           "credentials[0]: url: required",
		"credentials: [null]":                                                                      "credentials[0]: url: required",
		"credentials: [{url: /path, token: s3cret}]":                                               "credentials[0]: /path: url: a path needs no credential",
		"credentials: [{url: 'ftp://h', token: s3cret}]":                                           `credentials[0]: url: ftp://h/: scheme "ftp" is not used; use https, ssh or a path`,
		"credentials: [{url: 'https://u:s3cret@h', token: s3cret}]":                                "credentials[0]: url: https://h: the address carries credentials",
		"credentials: [{url: 'https://h', token: s3cret, password: s3cret}]":                       "https://h/: token and password are both set; keep one",
		"credentials: [{url: 'https://h', password: s3cret}]":                                      "https://h/: username and password go together",
		"credentials: [{url: 'https://h', username: u}]":                                           "https://h/: username and password go together",
		"credentials: [{url: 'https://h'}]":                                                        "https://h/: nothing to log in with; set token, or username and password",
		"credentials: [{url: 'https://h', privateKeyFile: key}]":                                   "https://h/: privateKeyFile and knownHostsFile are for ssh addresses",
		"credentials: [{url: 'https://h', caFile: absent}]":                                        "https://h/: caFile: open " + filepath.Join(dir, "absent"),
		"credentials: [{url: 'https://h', caFile: junk}]":                                          "https://h/: caFile: junk has no certificate in PEM form",
		"credentials: [{url: 'ssh://h', token: s3cret}]":                                           "ssh://h/: token, username, password and caFile are for https addresses",
		"credentials: [{url: 'ssh://h', knownHostsFile: none}]":                                    "ssh://h/: privateKeyFile: required for ssh",
		"credentials: [{url: 'git@h:acme', privateKeyFile: key}]":                                  "ssh://git@h/acme: knownHostsFile: required for ssh; write it with ssh-keyscan",
		"credentials: [{url: 'ssh://h', privateKeyFile: junk, knownHostsFile: none}]":              "ssh://h/: privateKeyFile: junk holds no private key",
		"credentials: [{url: 'ssh://h', privateKeyFile: key, knownHostsFile: absent}]":             "ssh://h/: knownHostsFile: open " + filepath.Join(dir, "absent"),
		"credentials: [{url: 'ssh://h', privateKeyFile: key, knownHostsFile: junk}]":               "ssh://h/: knownHostsFile: ",
		"credentials: [{url: 'https://h', token: s3cret}, {url: 'https://H:443/', token: s3cret}]": "credentials[1]: https://h/ is in credentials[0] already; keep one",
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := gitrepo.ReadCredentials(file)
		require.ErrorContains(t, err, file+": ", content)
		require.ErrorContains(t, err, want, content)
		require.NotContains(t, err.Error(), "s3cret", content)
	}
	require.NoError(t, os.WriteFile(file, []byte("logins: []"), 0o600))
	_, err := gitrepo.ReadCredentials(file)
	require.EqualError(t, err, file+": line 1: field logins not found; known is credentials")
	_, err = gitrepo.ReadCredentials(filepath.Join(dir, "absent"))
	require.ErrorContains(t, err, "read git credentials: open "+filepath.Join(dir, "absent"))
}

// TestEveryFieldOfCredentialsIsInTheTable of the page for operators, and in the answer to a field that there is not.
func TestEveryFieldOfCredentialsIsInTheTable(t *testing.T) {
	page, err := os.ReadFile("../../cmd/transom/docs/operator.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Credentials for Git\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
		told = append(told, row[1])
	}
	require.ElementsMatch(t, gitrepo.CredentialFields(), told)

	file := filepath.Join(t.TempDir(), "credentials.yaml")
	require.NoError(t, os.WriteFile(file, []byte("credentials: [{nothing: x}]"), 0o600))
	_, err = gitrepo.ReadCredentials(file)
	require.Error(t, err)
	_, known, _ := strings.Cut(err.Error(), "known are ")
	require.ElementsMatch(t, gitrepo.CredentialFields(), strings.FieldsFunc(strings.Replace(known, " and ", ", ", 1), func(r rune) bool { return r == ',' || r == ' ' }))
}

func TestLongestAddressWins(t *testing.T) {
	b := newBare(t)
	o := overHTTPS(b, passThrough)
	server := "https://" + hostOf(t, o.url)
	right := fmt.Sprintf("token: %s, caFile: %q}\n", password, caFileOf(t, o))
	wrong := fmt.Sprintf("token: wrong, caFile: %q}\n", caFileOf(t, o))
	for name, entries := range map[string]string{
		"most of the path":   "- {url: " + server + ", " + wrong + "- {url: " + server + "/origin.git, " + right,
		"in any order":       "- {url: " + server + "/origin.git, " + right + "- {url: " + server + ", " + wrong,
		"not half a segment": "- {url: " + server + "/orig, " + wrong + "- {url: " + server + ", " + right,
		"not another path":   "- {url: " + server + "/other, " + wrong + "- {url: " + server + "/, " + right,
		"not another host":   "- {url: " + server + "0, " + wrong + "- {url: https://example.com, " + wrong + "- {url: " + server + ", " + right,
	} {
		t.Run(name, func(t *testing.T) {
			o.credentials = readCredentials(t, "credentials:\n"+entries)
			fetch(t, o.remote())
		})
	}
}

func TestEmptyCredentialsFile(t *testing.T) {
	for _, content := range []string{"", "# none yet\n", "credentials: []\n"} {
		require.Equal(t, "0 git credentials", readCredentials(t, content).String())
	}
}

func TestAddressThatIsRefused(t *testing.T) {
	for address, want := range map[string]string{
		"":                               "the repository's address is empty; give a path or a URL",
		"https://user:s3cret@host/x.git": "https://host/x.git: the address carries credentials; write it as shown here and put them into the git credentials file",
		"https://s3cret@host/x.git":      "https://host/x.git: the address carries credentials; write it as shown here and put them into the git credentials file",
		"ssh://git:s3cret@host/x.git":    "ssh://host/x.git: the address carries credentials; write it as shown here and put them into the git credentials file",
		"https://user:s3cr%et@host":      "the address (https://…) is no URL; write it like https://host/path.git",
		"http://git.example.com/x.git":   "http://git.example.com/x.git: plain http is only for this machine itself; use https",
		"git://host/x.git":               `git://host/x.git: scheme "git" is not used; use https, ssh or a path`,
		"ext::sh -c date":                `"ext::sh -c date": remote helpers are not used; give a path, or an https or ssh address`,
		"https:///x.git":                 "https:///x.git: no host name",
		"ssh://-oProxyCommand=x/y":       "ssh://-oproxycommand=x/y: no host name",
		"https://host/x.git?a=s3cret":    "https://host/x.git: a repository's address has no ? or #",
		"file://elsewhere/x.git":         "file://elsewhere/x.git: a file address names no host; write file:///path",
	} {
		r := &gitrepo.Remote{URL: address, Branch: "main", Dir: t.TempDir()}
		_, err := r.Fetch(context.Background())
		require.EqualError(t, err, want, address)
		_, err = r.Commit(context.Background(), &gitrepo.Snapshot{}, gitrepo.Commit{})
		require.EqualError(t, err, want, address)
		require.Equal(t, "invalid remote", r.String())
	}
	r := &gitrepo.Remote{URL: "/x.git", Branch: "../main", Dir: t.TempDir()}
	_, err := r.Fetch(context.Background())
	require.EqualError(t, err, `/x.git: branch "../main" is no valid name`)
	r = &gitrepo.Remote{URL: "/x.git", Branch: "main"}
	_, err = r.Fetch(context.Background())
	require.EqualError(t, err, "/x.git: no directory given for its mirror")
}
