package main

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/trigger"
)

// reread reads a file again and again until ctx is done, and calls changed when it has another content. One with a mistake changes
// nothing, and the log says so once.
func reread(ctx context.Context, group *errgroup.Group, file string, logger *slog.Logger, read func() (bool, error), changed func()) {
	failed := ""
	group.Go(func() error {
		return trigger.Every(ctx, refreshTime, func() {
			news, err := read()
			switch {
			case err != nil && failed != err.Error():
				failed = err.Error()
				logger.Warn("file not taken in: the one before stays in force", "file", file, "err", err)
			case err == nil:
				failed = ""
				if news {
					logger.Info("file read again", "file", file)
					changed()
				}
			}
		})
	})
}

// rereadKeys has the files of those who sign and of credentials for Git read again and again.
func (o *serveOptions) rereadKeys(ctx context.Context, group *errgroup.Group, credentials gitrepo.Credentials, all *followed) {
	o.signers.watch(ctx, group, all.latch, all.logger)
	o.watchCredentials(ctx, group, credentials, all)
}

// watchCredentials has a changed file of credentials used, and every repository asked at once: one that was refused before may be
// reached now.
func (o *serveOptions) watchCredentials(ctx context.Context, group *errgroup.Group, credentials gitrepo.Credentials, all *followed) {
	if o.credentials == "" {
		return
	}
	reread(ctx, group, "git-credentials", all.logger, func() (bool, error) {
		if err := keptSecret(o.credentials); err != nil {
			return false, err
		}
		return credentials.Refresh()
	}, func() {
		all.heard(nil)
		all.latch.Fire("credentials")
	})
}
