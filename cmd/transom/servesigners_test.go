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

	"transom.dev/reconciler/trigger"
)

// TestSignersAreReadAgain: a changed file asks for a pass, and one with a mistake changes nothing and is told once.
func TestSignersAreReadAgain(t *testing.T) {
	const one, two = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a\n",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Kq0vUZ1vFGqk2YQvRpTQ6nJUpeAYT3MEhpFDMgBHI b\n"
	file := filepath.Join(t.TempDir(), "signers")
	write := func(content string) { require.NoError(t, os.WriteFile(file, []byte(content), 0o644)) }
	o := signerOptions{file: file}
	require.Nil(t, (&signerOptions{}).now(), "without the flag nothing is verified")
	require.ErrorContains(t, o.open(), "no such file")
	write(one)
	require.NoError(t, o.open())
	first := o.now()()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		group, latch := &errgroup.Group{}, trigger.New()
		o.watch(ctx, group, latch, slog.New(slog.NewTextHandler(&log, nil)))
		write("nonsense\n")
		<-time.After(time.Minute)
		require.Same(t, first, o.now()(), "the one before stays in force")
		require.Equal(t, 1, strings.Count(log.String(), "not taken in"), log.String())
		write(one + two)
		causes, err := latch.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"signers"}, causes)
		require.False(t, first.Is(o.now()()))
		cancel()
		_ = group.Wait()
	})
}
