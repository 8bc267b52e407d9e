package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/trigger"
)

// TestGitCredentialsAreReadAgain: a token that was replaced is used, and every repository asked, without a restart.
func TestGitCredentialsAreReadAgain(t *testing.T) {
	o := serveOptions{credentials: filepath.Join(t.TempDir(), "git.yaml")}
	write := func(mode os.FileMode, content string) {
		require.NoError(t, os.WriteFile(o.credentials, []byte(content), mode))
		require.NoError(t, os.Chmod(o.credentials, mode))
	}
	write(0o600, "credentials: []\n")
	credentials, err := readCredentials(o.credentials)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		group, asked := &errgroup.Group{}, trigger.New()
		all := &followed{latch: trigger.New(), logger: slog.New(slog.NewTextHandler(&log, nil)), by: map[string]followedRepository{
			"": {Remote: &gitrepo.Remote{URL: "https://git.example.com/acme/platform.git"}, asked: asked},
		}}
		o.watchCredentials(ctx, group, credentials, all)
		const entry = "credentials: [{url: 'https://git.example.com', token: s3cret}]\n"
		write(0o600, "credentials: [{url: 'https://git.example.com'}]\n")
		<-time.After(time.Minute)
		write(0o644, entry)
		<-time.After(time.Minute)
		require.True(t, credentials.None(), "those before stay in force")
		require.Equal(t, 1, strings.Count(log.String(), "nothing to log in with"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "chmod 600 it"), log.String())
		write(0o600, entry)
		causes, err := all.latch.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"credentials"}, causes)
		_, err = asked.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, "1 git credentials", credentials.String())
		require.NotContains(t, log.String(), "s3cret")
		cancel()
		_ = group.Wait()
	})
}
