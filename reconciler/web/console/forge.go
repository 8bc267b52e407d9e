package console

import (
	"fmt"
	"net/url"
	"strings"
)

// A forge makes the addresses of the pages on which a repository's files are read and written. The zero value knows none.
type forge struct {
	base   string // of the repository, without .git
	branch string
	gitlab bool
	gitea  bool
}

// forgeOf recognises a repository on a forge by the name of its host. Of any other host nothing is known.
func forgeOf(repository, branch string) forge {
	u, err := url.Parse(repository)
	if err != nil || u.Scheme != "https" {
		return forge{}
	}
	host := u.Hostname()
	f := forge{base: "https://" + u.Host + strings.TrimSuffix(u.Path, ".git"), branch: branch}
	switch {
	case strings.Contains(host, "github"):
	case strings.Contains(host, "gitlab"):
		f.gitlab = true
	case strings.Contains(host, "gitea"), strings.Contains(host, "forgejo"), host == "codeberg.org":
		f.gitea = true
	default:
		return forge{}
	}
	return f
}

func escaped(file string) string { return (&url.URL{Path: file}).EscapedPath() }

// file is the page of a file at a line; empty: none is known.
func (f forge) file(name string, line int) string {
	if f.base == "" || name == "" {
		return ""
	}
	link := f.base + "/blob/" + escaped(f.branch) + "/" + escaped(name)
	switch {
	case f.gitlab:
		link = f.base + "/-/blob/" + escaped(f.branch) + "/" + escaped(name)
	case f.gitea:
		link = f.base + "/src/branch/" + escaped(f.branch) + "/" + escaped(name)
	}
	if line > 0 {
		link += fmt.Sprintf("#L%d", line)
	}
	return link
}

// commit is the page of a commit; empty: none is known.
func (f forge) commit(id string) string {
	switch {
	case f.base == "" || id == "":
		return ""
	case f.gitlab:
		return f.base + "/-/commit/" + id
	}
	return f.base + "/commit/" + id
}

// mostPrefilled is how long the content of a new file may be in an address: servers refuse longer ones.
const mostPrefilled = 6000

// create is the page that makes a new file with its content filled in; empty: none is known, or the content is too long.
func (f forge) create(dir, name, content string) string {
	switch {
	case f.base == "" || f.gitea || len(content) > mostPrefilled:
		return ""
	case f.gitlab:
		return f.base + "/-/new/" + escaped(f.branch) + "/" + escaped(dir) + "?" + url.Values{"file_name": {name}, "content": {content}}.Encode()
	}
	return f.base + "/new/" + escaped(f.branch) + "/" + escaped(dir) + "?" + url.Values{"filename": {name}, "value": {content}}.Encode()
}

// links are those of the platform repository that the latest model knows.
type links struct{ cache *cache }

func (l *links) forge() forge {
	m := l.cache.latest()
	if m == nil {
		return forge{}
	}
	return forgeOf(m.Platform.URL, m.Platform.Branch)
}

// file is the page of a file of the platform repository.
func (l *links) file(name string, line int) string { return l.forge().file(name, line) }

// commit is the page of a commit of the platform repository.
func (l *links) commit(id string) string { return l.forge().commit(id) }
