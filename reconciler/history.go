package reconciler

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// self signs every state commit.
var self = gitrepo.Signature{Name: "Transom", Email: "transom@transom.dev"}

// summaryLines bounds how many releases and authors a commit message names.
const summaryLines = 50

// differenceLines bounds how many fields of one request it names.
const differenceLines = 5

// isOurs says whether a commit says of itself that it is Transom's, which anybody can write.
func isOurs(c gitrepo.CommitInfo) bool {
	return c.Committer.Email == self.Email && len(c.Trailer(state.TrailerPlatformCommit)) > 0
}

// restore returns the changes that undo the commits that others put on top of ours, below the paths that are
// Transom's. Other files of the branch, such as a README, are theirs.
func restore(content *stateContent) (map[string][]byte, error) {
	changes := map[string][]byte{}
	if content.head.Commit == content.believed.Commit {
		return changes, nil
	}
	theirs, err := content.head.Blobs(".")
	if err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", content.head.Commit, err)
	}
	ours, err := content.believed.Blobs(".")
	if err != nil {
		return nil, fmt.Errorf("read state commit %s: %w", content.believed.Commit, err)
	}
	for path := range theirs {
		if _, known := ours[path]; !known && state.IsOwn(path) {
			changes[path] = nil
		}
	}
	for path, blob := range ours {
		if theirs[path] == blob || !state.IsOwn(path) {
			continue
		}
		if changes[path], err = content.believed.ReadFile(path); err != nil {
			return nil, fmt.Errorf("read %s of state commit %s: %w", path, content.believed.Commit, err)
		}
	}
	return changes, nil
}

// message is a state commit's text in its parts.
type message struct {
	subject  string
	summary  []string
	trailers []string
}

// describe makes the message of a commit: its subject, a line per release, and the trailers that machines read.
func describe(environment, commit string, base *render.Base, rendered *render.State, healed int) *message {
	m := &message{subject: subject(environment, base, rendered, healed)}
	if healed > 0 {
		m.summary = append(m.summary, fmt.Sprintf("Restores %d files that were changed by somebody else.", healed))
	}
	m.trailers = append(m.trailers, state.TrailerPlatformCommit+": "+commit)
	for i, key := range rendered.Touched {
		if i == summaryLines {
			m.summary = append(m.summary, fmt.Sprintf("and %d more", len(rendered.Touched)-i))
		}
		release := rendered.Releases[key]
		if release == nil {
			continue
		}
		m.trailers = append(m.trailers, fmt.Sprintf("%s: %s %s", state.TrailerRelease, key, release.Digest))
		if i < summaryLines {
			m.summary = append(m.summary, step(base.Releases[key], release))
			m.summary = append(m.summary, differences(environment, base.Releases[key], release)...)
		}
	}
	return m
}

func subject(environment string, base *render.Base, rendered *render.State, healed int) string {
	switch {
	case len(rendered.Touched) == 1 && rendered.Releases[rendered.Touched[0]] != nil:
		key := rendered.Touched[0]
		return environment + ": " + step(base.Releases[key], rendered.Releases[key])
	case len(rendered.Touched) > 0:
		return fmt.Sprintf("%s: %d releases", environment, len(rendered.Touched))
	case len(rendered.Forgotten) == 1:
		return fmt.Sprintf("%s: forget %s", environment, rendered.Forgotten[0])
	case len(rendered.Forgotten) > 0:
		return fmt.Sprintf("%s: forget %d removed requests", environment, len(rendered.Forgotten))
	case healed > 0:
		return environment + ": restore what was changed by somebody else"
	default:
		return environment + ": update the fleet's record"
	}
}

// step describes in a line the change of a commit to one release.
func step(before, after *state.Release) string {
	rollout := after.Promotion.Rollout
	switch {
	case after.Absent && !absent(before):
		return "remove " + after.Key.String()
	case before != nil && before.Digest == after.Digest && sameBytes(before, after):
		return remembered(before.Promotion, after)
	case rollout != nil && rollout.Cause == "rollback":
		return fmt.Sprintf("roll %s back to %s %s", after.Key, after.Offering, after.Version)
	case rollout != nil && len(rollout.Pending) > 0 && len(rollout.Moved) > 0:
		return fmt.Sprintf("%s to %s %s on %s", after.Key, after.Offering, after.Version, strings.Join(rollout.Moved, ", "))
	default:
		return fmt.Sprintf("%s to %s %s", after.Key, after.Offering, after.Version)
	}
}

// differences lists, below a release's line, the fields of its request that changed.
func differences(environment string, before, after *state.Release) (lines []string) {
	if before == nil || before.Digest == after.Digest || before.Offering != after.Offering {
		return nil
	}
	for i, d := range platform.Differences(environment, before.Request, after.Request) {
		if i == differenceLines {
			return append(lines, "  and more")
		}
		lines = append(lines, "  "+d.String())
	}
	return lines
}

func sameBytes(a, b *state.Release) bool {
	return maps.EqualFunc(a.Clusters, b.Clusters, func(x, y state.Placement) bool { return x.Revision == y.Revision })
}

// remembered describes the news in a record of which nothing moved.
func remembered(before state.Promotion, after *state.Release) string {
	now := after.Promotion
	switch {
	case stopped(now) && !stopped(before):
		return fmt.Sprintf("stop %s at %s %s", after.Key, after.Offering, after.Version)
	case latest(now).Soaked != "" && !sameProof(latest(now), latest(before)):
		return fmt.Sprintf("%s proved %s %s for %s", after.Key, after.Offering, latest(now).Version, latest(now).Soaked)
	case before.Rollout != nil && now.Rollout == nil:
		return fmt.Sprintf("%s is healthy with %s %s", after.Key, after.Offering, after.Version)
	default:
		return fmt.Sprintf("record of %s", after.Key)
	}
}

func absent(r *state.Release) bool { return r != nil && r.Absent }

func stopped(p state.Promotion) bool { return p.Rollout != nil && p.Rollout.Stopped != "" }

func sameProof(a, b state.Proof) bool { return a.Digest == b.Digest && a.Soaked == b.Soaked }

// latest is the proof that was added last, or a zero one.
func latest(p state.Promotion) state.Proof {
	if len(p.Proven) == 0 {
		return state.Proof{}
	}
	return p.Proven[len(p.Proven)-1]
}

// thank names the author of the platform commit, where it can be read.
func (m *message) thank(ctx context.Context, source Source, commit string) {
	info, err := source.Show(ctx, commit)
	if err != nil || info.Author.Email == "" {
		return
	}
	m.trailers = append(m.trailers, fmt.Sprintf("Co-authored-by: %s <%s>", info.Author.Name, info.Author.Email))
}

func (m *message) String() string {
	parts := []string{m.subject}
	if len(m.summary) > 0 {
		parts = append(parts, strings.Join(m.summary, "\n"))
	}
	return strings.Join(append(parts, strings.Join(m.trailers, "\n")), "\n\n") + "\n"
}
