package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func TestOneDaemonHasADataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	release, err := claimData(t.Context(), dir)
	require.NoError(t, err)
	_, err = claimData(t.Context(), dir)
	require.ErrorContains(t, err, "another transom serve (process ")
	require.ErrorContains(t, err, "uses --data "+dir)
	release()
	release, err = claimData(t.Context(), dir)
	require.NoError(t, err, "the one before has ended")
	time.AfterFunc(100*time.Millisecond, release)
	release, err = claimData(t.Context(), dir)
	require.NoError(t, err, "the one before ends a moment later")
	release()
}

func TestDataThatCannotBeWrittenIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := claimData(t.Context(), filepath.Join(file, "data"))
	require.ErrorContains(t, err, "it must be a directory that the daemon can write to")
	taken := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "lock"), 0o750))
	_, err = claimData(t.Context(), taken)
	require.ErrorContains(t, err, "it must be a directory that the daemon can write to")
}

func TestSecretsThatEverybodyCanReadAreRefused(t *testing.T) {
	var o serveOptions
	o.outside.flags(pflag.NewFlagSet("serve", pflag.ContinueOnError))
	o.notice.flags(pflag.NewFlagSet("serve", pflag.ContinueOnError))
	file := filepath.Join(t.TempDir(), "git.yaml")
	require.NoError(t, os.WriteFile(file, []byte("credentials: []\n"), 0o600))
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o440: true, 0o644: false, 0o602: false} {
		require.NoError(t, os.Chmod(file, mode))
		o.platform, o.keys, o.credentials = t.TempDir(), keyOptions{dir: t.TempDir()}, file
		_, err := o.prepare()
		if fine {
			require.NoError(t, err, "%o", mode)
		} else {
			require.ErrorContains(t, err, "chmod 600 it", "%o", mode)
		}
	}
}
