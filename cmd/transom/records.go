package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/gitrepo"
)

// records finds the state repositories of environments: as the platform repository in a directory names them, or, away
// from one, as the daemon does.
type records struct {
	client      client.Client
	in          platformDir
	state       string // URL or path, instead of both
	credentials string
}

func (r *records) flag(cmd *cobra.Command) {
	r.flagsOfMany(cmd)
	cmd.Flags().StringVar(&r.state, "state", "", "URL or path of the environment's state repository; left out, as the platform says")
}

// flagsOfMany adds the flags of commands that may ask about several environments.
func (r *records) flagsOfMany(cmd *cobra.Command) {
	serverFlag(cmd, &r.client)
	r.in.flag(cmd)
	cmd.Flags().StringVar(&r.credentials, "git-credentials", "", "file with credentials for Git, by URL prefix")
}

// open opens the state repository of an environment and reads its head.
func (r *records) open(ctx context.Context, environment string) (*audit.State, error) {
	url, branch, err := r.find(ctx, environment)
	if err != nil {
		return nil, err
	}
	credentials, err := readCredentials(r.credentials)
	if err != nil {
		return nil, err
	}
	state, err := audit.Open(ctx, url, branch, credentials)
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", environment, err)
	}
	if state.Head.Commit == "" {
		return nil, fmt.Errorf("the state of %s has no commit yet: %s", environment, url)
	}
	return state, nil
}

// find returns the address of an environment's state repository, and its branch.
func (r *records) find(ctx context.Context, environment string) (url, branch string, err error) {
	if r.state != "" {
		return r.state, "main", nil
	}
	p, loadErr := r.in.load()
	if loadErr != nil {
		return r.ask(ctx, environment, loadErr)
	}
	e, err := workspace.EnvironmentNamed(p, environment)
	if err != nil {
		return "", "", err
	}
	origin := ""
	if checkout, err := gitrepo.Open(r.in.dir); err == nil {
		origin = checkout.Origin()
	}
	if origin == "" && strings.HasPrefix(e.State.URL, ".") {
		return "", "", fmt.Errorf("%s: its state repository %s is relative to the platform's, and %s is a clone of none: name it with --state",
			e.File, e.State.URL, r.in.dir)
	}
	return remote.Resolve(origin, e.State.URL), e.State.Branch, nil
}

// ask asks the daemon for the address of a state repository.
func (r *records) ask(ctx context.Context, environment string, instead error) (url, branch string, err error) {
	s, err := r.client.Status(ctx, client.Selection{Environment: environment, Objects: "none"})
	if err != nil {
		return "", "", fmt.Errorf("%w\n%w", instead, err)
	}
	if len(s.Environments) == 0 {
		return "", "", unknownEnvironment(ctx, r.client, environment)
	}
	e := s.Environments[0]
	return remote.Resolve(s.Platform.URL, e.StateURL), e.StateBranch, nil
}

// platformPast opens the platform repository: the clone in a directory, or, away from one, the daemon's.
func (r *records) platformPast(ctx context.Context) (audit.Repository, error) {
	checkout, err := gitrepo.Open(r.in.dir)
	if err == nil {
		if _, err = r.in.load(); err == nil {
			return audit.Clone(checkout), nil
		}
	}
	s, asked := r.client.Status(ctx, client.Selection{Objects: "none"})
	if asked != nil {
		return audit.Repository{}, fmt.Errorf("%w\n%w", err, asked)
	}
	credentials, err := readCredentials(r.credentials)
	if err != nil {
		return audit.Repository{}, err
	}
	p, err := audit.Open(ctx, s.Platform.URL, s.Platform.Branch, credentials)
	if err != nil {
		return audit.Repository{}, err
	}
	return p.Repository, nil
}
