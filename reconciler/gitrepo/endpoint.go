package gitrepo

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// An endpoint is a repository's address taken apart.
type endpoint struct {
	scheme string // file, https, http or ssh
	user   string // of ssh
	host   string // without the port
	port   string // "" for the scheme's own
	path   string // of the repository; for file absolute
}

// scpLike is the form git@host:path, without which "host:path" could as well be a file.
var scpLike = regexp.MustCompile(`^([A-Za-z0-9._-]+)@([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([^:].*)$`)

// parseEndpoint reads the address of a repository, or a prefix of one.
func parseEndpoint(raw string) (endpoint, error) {
	if m := scpLike.FindStringSubmatch(raw); m != nil {
		return endpoint{scheme: "ssh", user: m[1], host: strings.ToLower(strings.Trim(m[2], "[]")), path: m[3]}.checked()
	}
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok {
		return fileEndpoint(raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse quotes the address, with any password in it.
		return endpoint{}, fmt.Errorf("the address (%s://…) is no URL; write it like https://host/path.git", scheme)
	}
	if _, hasPassword := u.User.Password(); hasPassword || (u.User != nil && u.Scheme != "ssh") {
		u.User = nil
		return endpoint{}, fmt.Errorf("%s: the address carries credentials; write it as shown here and put them into the "+
			"git credentials file", u)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		u.RawQuery, u.Fragment = "", ""
		return endpoint{}, fmt.Errorf("%s: a repository's address has no ? or #", u)
	}
	if u.Scheme == "file" {
		if u.Host != "" && u.Host != "localhost" {
			return endpoint{}, fmt.Errorf("%s: a file address names no host; write file:///path", u)
		}
		return fileEndpoint(u.Path)
	}
	e := endpoint{scheme: u.Scheme, user: u.User.Username(), host: strings.ToLower(u.Hostname()), port: u.Port(), path: u.Path}
	return e.checked()
}

func fileEndpoint(p string) (endpoint, error) {
	if p == "" || strings.ContainsRune(p, 0) {
		return endpoint{}, errors.New("the repository's address is empty; give a path or a URL")
	}
	if helper, _, ok := strings.Cut(p, "::"); ok && !strings.Contains(helper, "/") {
		return endpoint{}, fmt.Errorf("%q: remote helpers are not used; give a path, or an https or ssh address", p)
	}
	abs, err := filepath.Abs(p)
	if err != nil {
		return endpoint{}, fmt.Errorf("path %s: %w", p, err)
	}
	return endpoint{scheme: "file", path: abs}, nil
}

func (e endpoint) checked() (endpoint, error) {
	switch e.scheme {
	case "https", "ssh":
	case "http":
		if ip := net.ParseIP(e.host); e.host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return endpoint{}, fmt.Errorf("%s: plain http is only for this machine itself; use https", e)
		}
	default:
		return endpoint{}, fmt.Errorf("%s: scheme %q is not used; use https, ssh or a path", e, e.scheme)
	}
	if e.host == "" || strings.HasPrefix(e.host, "-") {
		return endpoint{}, fmt.Errorf("%s: no host name", e)
	}
	for _, control := range e.path + e.user {
		if control < ' ' || control == 0x7f {
			return endpoint{}, fmt.Errorf("%q: control characters in the address", e.String())
		}
	}
	if port := e.port; port == map[string]string{"https": "443", "http": "80", "ssh": "22"}[e.scheme] {
		e.port = ""
	}
	if e.scheme != "ssh" {
		e.path = path.Clean("/" + e.path)
	}
	return e, nil
}

// local says whether the repository is on this machine's disk.
func (e endpoint) local() bool { return e.scheme == "file" }

// address is the address to dial.
func (e endpoint) address() string {
	return net.JoinHostPort(e.host, cmp.Or(e.port, map[string]string{"https": "443", "http": "80", "ssh": "22"}[e.scheme]))
}

// String is the address without anything secret, for messages.
func (e endpoint) String() string {
	if e.local() {
		return e.path
	}
	host := e.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if e.port != "" {
		host += ":" + e.port
	}
	u := url.URL{Scheme: e.scheme, Host: host, Path: "/" + strings.TrimPrefix(e.path, "/")}
	if e.user != "" {
		u.User = url.User(e.user)
	}
	return u.String()
}

// under says whether e is at or below the address prefix, whole path segments compared.
func (e endpoint) under(prefix endpoint) bool {
	sameUser := prefix.user == "" || prefix.user == e.user
	if e.scheme != prefix.scheme || e.host != prefix.host || e.port != prefix.port || !sameUser {
		return false
	}
	p, whole := strings.Trim(prefix.path, "/"), path.Clean("/" + e.path)[1:]
	return p == "" || whole == p || strings.HasPrefix(whole, p+"/")
}

// Canonical is one spelling for all addresses of one repository: which scheme and user it is reached by makes no difference, nor
// do a trailing slash, .git, the case of the host, the scheme's own port or symbolic links on this machine. It is for comparing,
// not for reaching it. A text that is no address stays as it is.
func Canonical(address string) string {
	e, err := parseEndpoint(address)
	if err != nil {
		return address
	}
	p := path.Clean("/" + e.path)
	if e.local() {
		for _, there := range []string{p, p + ".git"} {
			if resolved, err := filepath.EvalSymlinks(there); err == nil {
				p = resolved
				break
			}
		}
		p = strings.TrimSuffix(p, "/.git")
	}
	host := e.host
	if e.port != "" {
		host = net.JoinHostPort(e.host, e.port)
	}
	return host + strings.TrimSuffix(p, ".git")
}

// Site is Canonical for reaching the forge of a repository by HTTPS: the port of an SSH address is none of that.
func Site(address string) string {
	e, err := parseEndpoint(address)
	if err != nil || e.scheme != "ssh" || e.port == "" {
		return Canonical(address)
	}
	return e.host + strings.TrimPrefix(Canonical(address), net.JoinHostPort(e.host, e.port))
}

// longer says whether e, a prefix of the same address as other, says more of it.
func (e endpoint) longer(other endpoint) bool {
	a, b := strings.Trim(e.path, "/"), strings.Trim(other.path, "/")
	return len(a) > len(b) || (len(a) == len(b) && e.user != "" && other.user == "")
}
