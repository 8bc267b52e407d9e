package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/trigger"
)

const signerHelp = `With --verify-signatures the newest commit of the platform branch has to be signed by a key of the file: SSH keys, one a line, and
armored GPG keys, such as the one that a forge signs merges with. Otherwise the newest commit on its line of first parents that is
signed is followed, and "transom status" says which commit froze the platform, whose it is, and how to go on. The file is read again when it
changes. "transom help operator" has more.`

// signerOptions say whose signatures the platform's head needs.
type signerOptions struct {
	file string

	read *atomic.Pointer[gitrepo.Signers] // as the file was last without a mistake; nil: there is none
}

func (o *signerOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.file, "verify-signatures", "",
		"file of the SSH and GPG keys of which one has to sign the newest commit of the platform branch; read again when it changes")
}

// open reads the file for the first time.
func (o *signerOptions) open() error {
	if o.file == "" {
		return nil
	}
	read, err := gitrepo.ReadSigners(o.file)
	if err != nil {
		return fmt.Errorf("--verify-signatures: %w", err)
	}
	o.read = &atomic.Pointer[gitrepo.Signers]{}
	o.read.Store(read)
	return nil
}

// now returns how to know the signers at any time; nil: no signature is needed.
func (o *signerOptions) now() func() *gitrepo.Signers {
	if o.read == nil {
		return nil
	}
	return o.read.Load
}

// watch reads the file again and again.
func (o *signerOptions) watch(ctx context.Context, group *errgroup.Group, latch *trigger.Latch, logger *slog.Logger) {
	if o.read == nil {
		return
	}
	reread(ctx, group, "verify-signatures", logger, func() (bool, error) {
		read, err := gitrepo.ReadSigners(o.file)
		if err != nil || read.Is(o.read.Load()) {
			return false, err
		}
		o.read.Store(read)
		return true, nil
	}, func() { latch.Fire("signers") })
}
