package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/trigger"
	"transom.dev/reconciler/web"
)

func TestAHookAsksTheRepositoryThatItNames(t *testing.T) {
	all := &followed{by: map[string]followedRepository{}}
	for environment, url := range map[string]string{
		"": "https://git.example.com/acme/platform.git", "dev": "https://git.example.com/acme/state.git", "prod": "git@git.example.com:acme/state.git",
	} {
		all.by[environment] = followedRepository{Remote: &gitrepo.Remote{URL: url}, asked: trigger.New()}
	}
	asked := func() (environments []string) {
		none, cancel := context.WithCancel(t.Context())
		cancel()
		for _, environment := range []string{"", "dev", "prod"} {
			latch := all.by[environment].asked
			for range 20 { // a choice between two that are ready is by chance
				if _, err := latch.Wait(none); err == nil {
					environments = append(environments, environment)
				}
			}
		}
		return environments
	}
	for _, c := range []struct{ named, want []string }{
		{nil, []string{"", "dev", "prod"}},
		{[]string{"https://git.example.com/acme/platform.git"}, []string{""}},
		{[]string{"ssh://git@git.example.com/acme/platform", "https://elsewhere.example.com/x"}, []string{""}},
		{[]string{"https://git.example.com/acme/state.git"}, []string{"dev", "prod"}},
		{[]string{"https://git.example.com/acme/website.git"}, []string{"", "dev", "prod"}},
		{[]string{"\x00", "::", "https://user:secret@git.example.com/acme/state.git"}, []string{"", "dev", "prod"}},
	} {
		all.heard(c.named)
		require.Equal(t, c.want, asked(), c.named)
	}
}

func TestHookSecretsAreReadAtEachCall(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets")
	write := func(content string) { require.NoError(t, os.WriteFile(file, []byte(content), 0o600)) }
	first, second := strings.Repeat("1", 16), strings.Repeat("2", 16)
	write(first + "\n")
	o := noticeOptions{secrets: file}
	var log bytes.Buffer
	hooks := o.hooks(nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	secrets, err := hooks.Secrets()
	require.NoError(t, err)
	require.Equal(t, []string{first}, secrets)

	write(second + "\r\n\n" + first)
	secrets, err = hooks.Secrets()
	require.NoError(t, err)
	require.Equal(t, []string{second, first}, secrets)

	require.NoError(t, os.Remove(file))
	for range 3 {
		_, err = hooks.Secrets()
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	require.Equal(t, 1, strings.Count(log.String(), "hooks refused"), "said once")
	require.NotContains(t, log.String(), first)
}

func TestReconcileSaysWhatCameOfIt(t *testing.T) {
	looked := []web.Looked{
		{Repository: "https://git.example.com/platform.git main", Moved: true},
		{Environment: "dev", Repository: "https://git.example.com/state-dev.git main"},
	}
	o := web.Options{Board: eventful(), Look: func(context.Context) []web.Looked { return looked }}
	out, _, code := transom(t, o, "reconcile")
	require.Zero(t, code)
	require.Equal(t, `(platform)  https://git.example.com/platform.git main   moved
dev         https://git.example.com/state-dev.git main  as before
a pass is made over every environment now
`, out)

	looked = append(looked, web.Looked{Environment: "prod", Repository: "r", Error: "no answer for 30s"})
	out, _, code = transom(t, o, "reconcile")
	require.Equal(t, 1, code)
	require.Contains(t, out, "prod        r                                           not asked: no answer for 30s\n")
	out, _, code = transom(t, o, "reconcile", "-o", "json")
	require.Equal(t, 1, code)
	require.JSONEq(t, `[{"repository":"https://git.example.com/platform.git main","moved":true},
		{"environment":"dev","repository":"https://git.example.com/state-dev.git main","moved":false},
		{"environment":"prod","repository":"r","moved":false,"error":"no answer for 30s"}]`, out)

	_, told, code := transom(t, web.Options{Board: eventful()}, "reconcile")
	require.Equal(t, 1, code)
	require.Contains(t, told, "not found")
}
