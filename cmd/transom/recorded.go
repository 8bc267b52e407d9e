package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// knownRelease is a release that can be named in a decision.
type knownRelease struct {
	digest, offering, version, commit string
	absent                            bool
	failed                            bool          // it was rejected there, and only a new Approval admits it again
	waiting                           []status.Gate // that it waits for, where the daemon says so
}

func (k *knownRelease) String() string {
	text := "release " + terminal.Short(k.digest)
	switch {
	case k.absent:
		text += ", the removal"
	case k.offering != "":
		text += ", " + k.offering + " " + k.version
	}
	if k.commit != "" {
		text += ", of platform commit " + terminal.Short(k.commit)
	}
	return text
}

// next finds the release that waits to enter an environment: as the daemon says, or as the state repositories say.
func (r *records) next(ctx context.Context, p *platform.Platform, environment string, key platform.RequestKey) (*knownRelease, error) {
	s, err := r.client.Status(ctx, client.Selection{Team: key.Team, Request: key.Name})
	var away client.Absent
	switch {
	case errors.As(err, &away):
		return r.nextStored(ctx, p, environment, key)
	case err != nil:
		return nil, err
	case len(s.Instances) == 0:
		return nil, workspace.NoRequest(p, key)
	}
	for _, in := range s.Instances {
		if in.Environment != environment {
			continue
		}
		if c := in.Candidate; c != nil {
			failed := slices.ContainsFunc(in.Waiting, func(g status.Gate) bool { return g.Name == gate.Rejected })
			return &knownRelease{c.Release, cmp.Or(c.Offering, in.Offering), c.Version, c.Commit, c.Absent, failed, in.Waiting}, nil
		}
		if in.Release == "" {
			return nil, fmt.Errorf("%s: %s", key, problemOf(in))
		}
		return nil, fmt.Errorf("nothing of %s waits for %s, which runs release %s, %s %s; --release names another",
			key, environment, terminal.Short(in.Release), in.Offering, in.Version)
	}
	return nil, fmt.Errorf("nothing of %s waits for %s: it is in %s only", key, environment, s.Instances[0].Environment)
}

// problemOf says why nothing of a request is in an environment.
func problemOf(in status.Instance) string {
	for _, p := range in.Problems {
		if !p.Warning {
			return "cannot be released: " + p.String()
		}
	}
	return "nothing of it waits for " + in.Environment
}

// nextStored finds the release that waits without a daemon: the one that an upstream environment runs and this one does not, or
// the one of the platform's head.
func (r *records) nextStored(ctx context.Context, p *platform.Platform, environment string, key platform.RequestKey) (*knownRelease, error) {
	own, err := r.stored(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	isOwn := func(digest string) bool { return own != nil && own.Digest == digest }
	above := p.Environments[environment].PromotesFrom
	for _, name := range above {
		its, err := r.stored(ctx, name, key)
		if err != nil {
			return nil, err
		}
		if its != nil && !isOwn(its.Digest) {
			next := releasesIn(its)[0]
			next.failed = own != nil && slices.ContainsFunc(own.Promotion.Rejected, func(f state.Failure) bool {
				return f.Release == next.digest
			})
			return &next, nil
		}
	}
	for _, i := range p.Instances(environment) {
		if i.Request.Key == key && len(above) == 0 && !isOwn(i.Release) {
			return &knownRelease{digest: i.Release, offering: i.Offering.Name, version: i.Version.Number.String()}, nil
		}
	}
	if own == nil && p.Request(key) == nil {
		return nil, workspace.NoRequest(p, key)
	}
	return nil, fmt.Errorf("nothing of %s waits for %s, as its state repository and those above it (%s) say; --release names another",
		key, environment, orNone(above))
}

// orNone joins names, or says that there are none.
func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// record reads the Release file of a request in an environment; nil: the request never had one.
func (r *records) record(ctx context.Context, environment string, key platform.RequestKey) (*state.Release, error) {
	trace, err := r.client.Explain(ctx, client.Selection{Team: key.Team, Request: key.Name, Environment: environment})
	var away client.Absent
	var refused client.Refused
	switch {
	case errors.As(err, &away):
		return r.stored(ctx, environment, key)
	case errors.As(err, &refused) && refused.Code == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return trace.Release, nil
}

// stored reads a Release file at the head of an environment's state repository; nil: there is none.
func (r *records) stored(ctx context.Context, environment string, key platform.RequestKey) (*state.Release, error) {
	opened, err := r.open(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("no daemon at %s, and: %w", r.client.Server, err)
	}
	return audit.ReleaseIn(opened.Head, key)
}

// releasesIn lists the releases that a Release file names, the newest first, each once.
func releasesIn(r *state.Release) (list []knownRelease) {
	add := func(k knownRelease) {
		if k.digest != "" && !slices.ContainsFunc(list, func(o knownRelease) bool { return o.digest == k.digest }) {
			list = append(list, k)
		}
	}
	add(knownRelease{digest: r.Digest, offering: r.Offering, version: r.Version, commit: r.Commit, absent: r.Absent})
	for _, proof := range slices.Backward(r.Promotion.Proven) {
		add(knownRelease{digest: proof.Digest, offering: proof.Offering, version: proof.Version, commit: proof.Commit, absent: proof.Absent})
	}
	for _, ran := range slices.Backward(r.Promotion.Ran) {
		add(knownRelease{digest: ran.Digest, offering: r.Offering, version: ran.Version})
	}
	return list
}

// hasName says whether a text names a release: by its version, its digest, or a beginning of that which is long enough.
func (k *knownRelease) hasName(text string) bool {
	begins := len(text) > 10 && strings.HasPrefix(k.digest, text)
	beginsBare := len(text) > 3 && strings.HasPrefix(strings.TrimPrefix(k.digest, "sha256:"), text)
	return k.version == text || begins || beginsBare
}

// pickRelease finds the release that a text names by its version, its digest, or the beginning of that.
func pickRelease(list []knownRelease, text string) (*knownRelease, error) {
	var found []knownRelease
	for _, k := range list {
		if k.hasName(text) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no release %q; there are: %s", text, releaseNames(list))
	}
	if len(found) > 1 && found[0].version == found[1].version && found[0].version == text {
		return nil, fmt.Errorf("several releases have version %s: %s; name one by its digest", text, releaseNames(found))
	}
	return &found[0], nil
}

// releaseNames lists releases by digest and version.
func releaseNames(list []knownRelease) string {
	var names []string
	for _, k := range list {
		names = append(names, fmt.Sprintf("%s (%s)", terminal.Short(k.digest), k.version))
	}
	return orNone(names)
}

// distinct keeps the first of each release.
func distinct(list []knownRelease) (kept []knownRelease) {
	seen := map[string]bool{}
	for _, k := range list {
		if !seen[k.digest] {
			kept = append(kept, k)
		}
		seen[k.digest] = true
	}
	return kept
}
