package forge_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/forge"
)

func TestTheFileLeavesOutWhatThePlatformsAddressSays(t *testing.T) {
	for platform, want := range map[string]forge.Config{
		"github.com/acme/platform":            {Kind: forge.GitHub, API: "https://api.github.com/", Repository: "acme/platform"},
		"gitlab.com/acme/infra/platform":      {Kind: forge.GitLab, API: "https://gitlab.com/api/v4/", Repository: "acme/infra/platform"},
		"gitlab.acme.example:8443/a/platform": {Kind: forge.GitLab, API: "https://gitlab.acme.example:8443/api/v4/", Repository: "a/platform"},
	} {
		config, err := forge.Read(file(t, "token: ghp_secret"), platform, nil)
		require.NoError(t, err)
		want.Token = "ghp_secret"
		require.Equal(t, want, config)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", config, config, config), "secret")
	}
	config, err := forge.Read(file(t, "{kind: github, token: x}"), "git.acme.example/acme/platform", nil)
	require.NoError(t, err)
	require.Equal(t, "https://git.acme.example/api/v3/", config.API)
	config, err = forge.Read(file(t, "{kind: gitlab, api: 'http://127.0.0.1:9/api/v4', repository: a/b, tokenFile: other}"), "/srv/git/platform", nil)
	require.NoError(t, err)
	require.Equal(t, forge.Config{Kind: forge.GitLab, API: "http://127.0.0.1:9/api/v4/", Repository: "a/b", Token: "from-a-file"}, config)
}

func TestAFileWithAMistakeSaysWhichAndShowsNoSecret(t *testing.T) {
	for content, want := range map[string]string{
		"token: ghp_secret\ntokne: ghp_secret":  "line 2: is not of the form {kind, api, repository, token or tokenFile, caFile, comments}",
		"[ghp_secret]":                          "line 1: is not of the form",
		"":                                      "token or tokenFile: give one of them",
		"{token: ghp_secret, tokenFile: other}": "token or tokenFile: give one of them",
		"{kind: gitea, token: ghp_secret}":      "kind: say github or gitlab, as the platform's address does not",
		"{repository: platform, token: ghp_secret}":                 `repository: "platform" is not of the form OWNER/NAME`,
		"{api: 'http://github.com', token: ghp_secret}":             "api: the token would travel in the clear; give an https address",
		"{api: 'https://ghp_secret@github.com', token: ghp_secret}": "api: give an address such as https://git.example.com/api/v4",
		"{tokenFile: none}":                  "tokenFile: open ",
		"{tokenFile: empty}":                 "tokenFile: empty is empty",
		"{token: ghp_secret, caFile: other}": "caFile: has no certificate in PEM form",
	} {
		_, err := forge.Read(file(t, content), "github.com/acme/platform", nil)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := forge.Read(file(t, "token: x"), "/srv/git/platform", nil)
	require.ErrorContains(t, err, "kind: say github or gitlab")
	_, err = forge.Read(file(t, "{kind: github, token: x}"), "/srv/git/platform", nil)
	require.ErrorContains(t, err, "api and repository: required, as the platform's address names no forge")
	_, err = forge.Read(file(t, "tokenFile: other"), "github.com/a/b", func(string) error { return errors.New("chmod 600 it") })
	require.ErrorContains(t, err, "chmod 600 it")
}

// file is an operator's file, beside which are others.
func file(t *testing.T, content string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"forge.yaml": content, "other": "from-a-file\n", "empty": "\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return filepath.Join(dir, "forge.yaml")
}
