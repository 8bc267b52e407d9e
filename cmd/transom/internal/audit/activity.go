package audit

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

const (
	// mostTouched is how many things of one commit are listed, and mostFiles how many of its files are looked at for them.
	mostTouched, mostFiles = 50, 2000
	// longestSubject is how much of a commit's first line is told.
	longestSubject = 200
)

const (
	kindRelease = "release"
	kindRequest = "request"
	kindOther   = "other"
)

// folderKinds are the kinds of things by the folder of the platform repository that has their files.
var folderKinds = map[string]string{
	"clusters": "cluster", "decisions": "decision", "environments": "environment", "notifications": "notification",
	"offerings": "offering", "policies": "policy", "requests": kindRequest,
}

// A reading makes the activity of a commit, as far as it is about a team and a request of it, which may be empty.
type reading struct {
	Recorded
	info          gitrepo.CommitInfo
	team, request string

	activity api.Activity
}

// read is the activity of a commit; nil: it is not about the team and the request.
func read(ctx context.Context, b Recorded, commit, team, request string) (*api.Activity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := b.Show(ctx, commit)
	if err != nil {
		return nil, err
	}
	r := &reading{Recorded: b, info: info, team: team, request: request}
	r.activity = api.Activity{
		Commit: commit, Environment: b.Environment, When: info.When, Author: info.Author.Name, Subject: clip(info.Subject), Touched: []api.Touched{},
	}
	if b.Environment == "" {
		err = r.readPlatform(ctx)
	} else {
		err = r.readState(ctx)
	}
	if err != nil || (team != "" && len(r.activity.Touched) == 0) {
		return nil, err
	}
	if by := info.Committer.Name; by != r.activity.Author && by != r.activity.MergedBy {
		r.activity.Committer = by
	}
	return &r.activity, nil
}

func clip(text string) string {
	if runes := []rune(text); len(runes) > longestSubject {
		return string(runes[:longestSubject]) + "…"
	}
	return text
}

// readPlatform adds the things that a platform commit touches, and who wrote a change that somebody else merged.
func (r *reading) readPlatform(ctx context.Context) error {
	if len(r.info.Parents) > 1 {
		merged, err := r.Show(ctx, r.info.Parents[1]) // the newest commit of the branch that was merged
		if err != nil {
			return err
		}
		if merged.Author.Name != r.info.Author.Name {
			r.activity.Author, r.activity.MergedBy = merged.Author.Name, r.info.Author.Name
		}
	}
	below := "."
	if r.team != "" {
		below = path.Join("requests", r.team)
	}
	files, more, err := r.Touched(ctx, r.info.Commit, below, mostFiles)
	if err != nil {
		return err
	}
	r.activity.More = more
	for _, f := range files {
		t := thingOf(wording.CleanLine(f.Path))
		t.Changes = []string{changeOfFile(f)}
		if r.request == "" || (t.Request != nil && t.Request.Name == r.request) {
			r.add(t)
		}
	}
	return nil
}

// add lists a thing, once for all its files.
func (r *reading) add(t api.Touched) {
	all := r.activity.Touched
	if i := slices.IndexFunc(all, func(o api.Touched) bool { return o.Kind == t.Kind && o.Name == t.Name && o.File == t.File }); i >= 0 {
		if !slices.Equal(all[i].Changes, t.Changes) {
			all[i].Changes = []string{"changed"}
		}
		return
	}
	if len(all) == mostTouched {
		r.activity.More = true
		return
	}
	r.activity.Touched = append(all, t)
}

func changeOfFile(f gitrepo.TouchedFile) string {
	switch {
	case f.Added:
		return "added"
	case f.Removed:
		return "removed"
	}
	return "changed"
}

// thingOf is the thing that a file of the platform repository belongs to.
func thingOf(file string) api.Touched {
	parts := strings.Split(file, "/")
	name := strings.TrimSuffix(parts[len(parts)-1], ".yaml")
	t := api.Touched{Kind: folderKinds[parts[0]], Name: name, File: file}
	switch n := len(parts); {
	case t.Kind == "" || n == 1:
		t.Kind, t.Name = kindOther, file
	case t.Kind == kindRequest && n == 3:
		request, sealed, _ := strings.Cut(name, ".") // of a file of secrets, its environment follows
		t.Name, t.Environment = parts[1]+"/"+request, strings.TrimSuffix(sealed, ".secret")
		t.Request = &platform.RequestKey{Team: parts[1], Name: request}
	case t.Kind == "offering" && n == 3:
		t.Name = parts[1]
	case t.Kind == "offering" && n > 3: // a version
		t.Name, t.File = parts[1]+" "+parts[2], path.Join(parts[:3]...)
	case t.Kind == "environment" && n > 3: // an overlay
		t.Name, t.Environment, t.File = parts[1]+"/"+parts[2], parts[1], path.Join(parts[:3]...)
	case t.Kind == "environment":
		t.Environment = name
	case t.Kind == "decision" && n == 3:
		t.Name, t.Environment = parts[1]+"/"+name, parts[1]
	}
	return t
}

// readState adds the releases that a state commit touches, and who changed the platform that the daemon followed.
func (r *reading) readState(ctx context.Context) error {
	if people := r.info.Trailer("Co-authored-by"); len(people) > 0 {
		for i, one := range people {
			people[i], _, _ = strings.Cut(one, " <")
		}
		r.activity.Author = clip(wording.CleanLine(strings.Join(people, ", ")))
	}
	below := path.Join(state.ReleasesDir, r.team)
	if r.request != "" {
		below = state.ReleaseFile(platform.RequestKey{Team: r.team, Name: r.request})
	}
	files, more, err := r.Touched(ctx, r.info.Commit, below, mostTouched)
	if err != nil {
		return err
	}
	r.activity.More = more
	for _, f := range files {
		key, ok := state.ParseReleaseFile(f.Path)
		if !ok {
			continue // of somebody else
		}
		changes, err := r.changesOf(ctx, key)
		if err != nil {
			return err
		}
		r.activity.Touched = append(r.activity.Touched, api.Touched{
			Kind: kindRelease, Name: key.String(), Request: &key, Environment: r.Environment, File: f.Path, Changes: changes,
		})
	}
	return nil
}

// changesOf are the events of a request in a state commit.
func (r *reading) changesOf(ctx context.Context, key platform.RequestKey) ([]string, error) {
	var records [2]*state.Release // before and after
	for i, commit := range []string{parentOf(r.info), r.info.Commit} {
		if commit == "" {
			continue
		}
		snapshot, err := r.At(ctx, commit)
		if err != nil {
			return nil, err
		}
		if records[i], err = ReleaseIn(snapshot, key); err != nil {
			return []string{fmt.Sprintf("changed; its record cannot be read: %s", wording.Clean(err.Error()))}, nil //nolint:nilerr // who wrote such a thing is told, too
		}
	}
	return changeOf(records[0], records[1]).Events, nil
}

// parentOf is the first parent of a commit; empty: it has none.
func parentOf(info gitrepo.CommitInfo) string {
	if len(info.Parents) == 0 {
		return ""
	}
	return info.Parents[0]
}
