package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// TestCodeOwnersAreThoseOfTheForge: the last rule that matches a decision counts, as GitHub has it.
func TestCodeOwnersAreThoseOfTheForge(t *testing.T) {
	const file = "decisions/prod/store-shop-5a1e.yaml"
	for text, want := range map[string]string{
		"* @all":                                    "@all",
		"*.yaml @all # everything":                  "@all",
		"* @all\n/decisions/ @acme/platform":        "@acme/platform",
		"/decisions/ @platform\n* @all":             "@all",
		"/decisions/prod/ @sre\n/decisions/dev/ @d": "@sre",
		"/decisions/*\t@nobody\n":                   "",
		"/decisions/prod/* @files @too":             "@files @too",
		"decisions/**/store-*.yaml @store":          "@store",
		"/decisions/prod/store-* @store":            "@store",
		"prod/ @below":                              "@below",
		"/prod/ @elsewhere":                         "",
		"/requests/ @requests\n/requests/* @r":      "",
		"/decisions/ @a\n/decisions/prod/":          "",
		"[Section] @x\n^[Other][2]\n* @all":         "@all",
		"/decisions/pro? one@acme.example":          "one@acme.example",
		"/decisions @a":                             "@a",
		"/decision @a":                              "",
		"**/prod/ @a\n**/store-* @b":                "@b",
		"**/decisions/**/prod/**/*.yaml @a":         "@a",
		"(((((( @a\n\\ @b":                          "",
	} {
		require.Equal(t, want, strings.Join(ownersOf(file, parseOwners([]byte(text))), " "), text)
	}
	require.Len(t, parseOwners([]byte(strings.Repeat("* @a\n", 10_000))), mostOwnerRules)
}

// TestCodeOwnersAreThoseOfThePlatformsHead, where it has a file that says so.
func TestCodeOwnersAreThoseOfThePlatformsHead(t *testing.T) {
	dir := t.TempDir()
	git := gitOf(t, dir)
	board := status.NewBoard(time.Now)
	git("init", "-q", "-b", "main")
	commit := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		git("add", "-A")
		git("commit", "-qm", name)
		board.Loaded(dir, &platform.Platform{Commit: git("rev-parse", "HEAD")})
	}
	owners := &codeOwners{traces: &tracer{board: board, platform: &gitrepo.Remote{URL: dir, Branch: "main", Dir: filepath.Join(t.TempDir(), "mirror")}}}
	is := func(want []string, known bool) {
		t.Helper()
		of, there := owners.Of("decisions/prod/one.yaml")
		require.Equal(t, want, of)
		require.Equal(t, known, there)
	}
	is(nil, false)
	commit("README.md", "")
	is(nil, false)
	commit("CODEOWNERS", "/decisions/ @platform")
	is([]string{"@platform"}, true)
	require.True(t, owners.Name("@platform"))
	require.True(t, owners.Name("@Platform"), "as forges have it")
	require.False(t, owners.Name("@docs"))
	commit("docs/CODEOWNERS", "* @docs")
	is([]string{"@platform"}, true)
	commit(".github/CODEOWNERS", "/requests/ @platform")
	is(nil, true)
	commit(".github/CODEOWNERS", "* @one\n"+strings.Repeat("#", longestOwners))
	is([]string{"@platform"}, true)

	board.Loaded(dir, &platform.Platform{Commit: strings.Repeat("5", 40)})
	is([]string{"@platform"}, true) // those of before, as that commit cannot be read
	require.NotZero(t, owners.failed)
	commit(".github/CODEOWNERS", "* @two")
	is([]string{"@platform"}, true)
	owners.failed = owners.failed.Add(-ownersAgain)
	is([]string{"@two"}, true)
}
