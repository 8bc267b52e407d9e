package gitrepo

import (
	"regexp"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"

	"transom.dev/render/wording"
)

// A Trailer is a line such as "Transom-Release: payments/orders-db sha256:…" in the last paragraph of a message.
type Trailer struct {
	Key   string
	Value string
}

// infoOf reads a commit. Names and the subject are cleaned, because people are shown them; the message is as it is.
func infoOf(c *object.Commit) CommitInfo {
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	info := CommitInfo{
		Commit:    c.Hash.String(),
		Author:    Signature{Name: wording.Clean(c.Author.Name), Email: wording.Clean(c.Author.Email)},
		Committer: Signature{Name: wording.Clean(c.Committer.Name), Email: wording.Clean(c.Committer.Email)},
		When:      boundTime(c.Committer.When),
		Subject:   wording.Clean(subject),
		Message:   c.Message,
		Trailers:  trailersOf(c.Message),
	}
	for _, p := range c.ParentHashes {
		info.Parents = append(info.Parents, p.String())
	}
	return info
}

// latestTime is the latest time that a commit may claim: later ones can be written neither as JSON nor in nanoseconds.
var latestTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// boundTime is the time of a commit, which is any number that somebody wrote, between the beginning of Unix time and latestTime.
func boundTime(t time.Time) time.Time {
	switch {
	case t.After(latestTime):
		return latestTime
	case t.Unix() < 0:
		return time.Unix(0, 0).In(t.Location())
	}
	return t
}

var trailerLine = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*)\s*:\s*(.*)$`)

// trailersOf reads the last paragraph of a message if all of it is trailers; a line that begins with a space goes on
// with the one before. The subject's paragraph is none.
func trailersOf(message string) []Trailer {
	paragraphs := strings.Split(strings.TrimSpace(strings.ReplaceAll(message, "\r\n", "\n")), "\n\n")
	if len(paragraphs) < 2 {
		return nil
	}
	var trailers []Trailer
	for line := range strings.SplitSeq(strings.Trim(paragraphs[len(paragraphs)-1], "\n"), "\n") {
		if m := trailerLine.FindStringSubmatch(line); m != nil {
			trailers = append(trailers, Trailer{m[1], strings.TrimSpace(m[2])})
		} else if strings.HasPrefix(line, " ") && len(trailers) > 0 {
			trailers[len(trailers)-1].Value += " " + strings.TrimSpace(line)
		} else {
			return nil
		}
	}
	return trailers
}
