package gitrepo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoundTripsAreFew(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	var requests []string
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			requests = append(requests, req.Method+" "+strings.TrimPrefix(req.URL.RequestURI(), "/origin.git/"))
			git.ServeHTTP(w, req)
		})
	})
	r := o.remote()
	made := func() []string {
		defer func() { requests = nil }()
		return requests
	}
	asks, gets := "GET info/refs?service=git-upload-pack", "POST git-upload-pack"
	s := fetch(t, r)
	require.Equal(t, []string{asks, gets}, made())
	require.Same(t, s, fetch(t, r))
	require.Equal(t, []string{asks}, made(), "nothing new")
	b.commit("second", map[string]string{"f": "2"})
	s = fetch(t, r)
	require.Equal(t, []string{asks, gets}, made())
	s = commit(t, r, s, map[string][]byte{"f": []byte("3")})
	require.Equal(t, []string{"GET info/refs?service=git-receive-pack", "POST git-receive-pack"}, made())
	require.Same(t, s, fetch(t, r))
	require.Equal(t, []string{asks}, made(), "what was pushed is not fetched")

	again := o.remote()
	again.Dir = r.Dir
	require.Equal(t, "3", readFile(t, fetch(t, again), "f"))
	require.Equal(t, []string{asks}, made(), "nor after a restart")
}

func TestOnlyNewObjectsAreSent(t *testing.T) {
	b := newBare(t)
	b.git("config", "receive.autogc", "false")
	r := b.remote()
	s := commit(t, r, fetch(t, r), map[string][]byte{"a/b/f": []byte("1"), "a/g": []byte("2"), "c/h": []byte("3")})
	b.git("gc", "--quiet")
	require.Equal(t, "count: 0", strings.SplitN(b.git("count-objects", "-v"), "\n", 2)[0])
	commit(t, r, s, map[string][]byte{"a/b/f": []byte("4")})
	require.Equal(t, "count: 5", strings.SplitN(b.git("count-objects", "-v"), "\n", 2)[0], "a commit, three trees and a blob")
}
