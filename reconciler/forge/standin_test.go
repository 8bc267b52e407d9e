package forge_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"transom.dev/reconciler/forge"
)

// A standIn answers as the APIs of GitHub and GitLab document it, for the repository acme/platform. Lists come in pages of
// two, however many are asked for, so that whoever reads one page alone is found out.
type standIn struct {
	*httptest.Server
	kind forge.Kind

	mu       sync.Mutex
	token    string
	statuses map[string][]tell   // by commit, the latest last
	pulls    []pull              // open
	comments map[int64][]comment // by request
	writers  []string            // logins; on GitLab the ID of a user is the length of the login
	calls    []string            // METHOD PATH, as they came
	fault    func(w http.ResponseWriter, r *http.Request) bool
	next     int64
}

// A tell is a status that was set.
type tell struct{ Context, State, Text, URL string }

type pull struct {
	number         int64
	branch, commit string
	author         string
	fork           bool
}

type comment struct {
	id     int64
	author string
	body   string
}

// self is the account of the token.
const self = "transom-daemon"

func newStandIn(t *testing.T, kind forge.Kind) *standIn {
	s := &standIn{kind: kind, token: "secret-token", statuses: map[string][]tell{}, comments: map[int64][]comment{}, writers: []string{"writer"}, next: 100}
	mux := http.NewServeMux()
	if kind == forge.GitHub {
		const repo = "/api/v3/repos/acme/platform"
		mux.HandleFunc("GET "+repo+"/commits/{commit}/status", s.listGitHubStatuses)
		mux.HandleFunc("POST "+repo+"/statuses/{commit}", s.setStatus)
		mux.HandleFunc("GET "+repo+"/pulls", s.listPulls)
		mux.HandleFunc("GET "+repo+"/collaborators/{login}/permission", s.permission)
		mux.HandleFunc("GET /api/v3/user", s.user)
		mux.HandleFunc("GET "+repo+"/issues/{number}/comments", s.listComments)
		mux.HandleFunc("POST "+repo+"/issues/{number}/comments", s.addComment)
		mux.HandleFunc("PATCH "+repo+"/issues/comments/{id}", s.editComment)
	} else {
		const repo = "/api/v4/projects/{project}"
		mux.HandleFunc("GET "+repo+"/repository/commits/{commit}/statuses", s.listGitLabStatuses)
		mux.HandleFunc("POST "+repo+"/statuses/{commit}", s.setStatus)
		mux.HandleFunc("GET "+repo+"/merge_requests", s.listPulls)
		mux.HandleFunc("GET "+repo+"/members/all/{id}", s.permission)
		mux.HandleFunc("GET /api/v4/user", s.user)
		mux.HandleFunc("GET "+repo+"/merge_requests/{number}/notes", s.listComments)
		mux.HandleFunc("POST "+repo+"/merge_requests/{number}/notes", s.addComment)
		mux.HandleFunc("PUT "+repo+"/merge_requests/{number}/notes/{id}", s.editComment)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		fault, token := s.fault, s.token
		s.mu.Unlock()
		if fault != nil && fault(w, r) {
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+token && r.Header.Get("PRIVATE-TOKEN") != token {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"message": "401 Bad credentials %s"}`, r.Header.Get("Authorization"))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// config leads to the stand-in.
func (s *standIn) config() forge.Config {
	path := map[forge.Kind]string{forge.GitHub: "/api/v3/", forge.GitLab: "/api/v4/"}[s.kind]
	return forge.Config{Kind: s.kind, API: s.URL + path, Repository: "acme/platform", Token: "secret-token"}
}

// fails has a function answer calls; it says whether it did. nil: all goes well again.
func (s *standIn) fails(fault func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// change changes the content of the forge.
func (s *standIn) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// told are the statuses that were set for a commit, as CONTEXT STATE TEXT, the oldest first, but for those that made room for another one.
func (s *standIn) told(commit string) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.statuses[commit] {
		if one.State == "canceled" {
			continue
		}
		list = append(list, one.Context+" "+one.State+" "+one.Text)
	}
	return list
}

// wrote are the comments on a request, as AUTHOR: BODY.
func (s *standIn) wrote(number int64) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.comments[number] {
		list = append(list, c.author+": "+c.body)
	}
	return list
}

// called counts the calls that contain a text.
func (s *standIn) called(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		if strings.Contains(call, text) {
			n++
		}
	}
	return n
}

// page writes the part of a list that is asked for, says where the next is, and answers 304 where the ETag is the same.
func (s *standIn) page(w http.ResponseWriter, r *http.Request, wrap func([]any) any, list []any) {
	page := max(1, number(r.FormValue("page")))
	from := min(int(page-1)*2, len(list))
	to := min(from+2, len(list))
	if to < len(list) {
		next := *r.URL
		q := next.Query()
		q.Set("page", strconv.FormatInt(page+1, 10))
		next.RawQuery = q.Encode()
		w.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, s.URL, next.RequestURI()))
		w.Header().Set("X-Next-Page", strconv.FormatInt(page+1, 10))
	}
	content, _ := json.Marshal(wrap(append([]any{}, list[from:to]...)))
	etag := fmt.Sprintf(`"%x"`, crc32.ChecksumIEEE(content))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(content)
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func plain(list []any) any { return list }

// latest are the latest statuses of a commit, one for each context.
func (s *standIn) latest(commit string) (list []tell) {
	for _, one := range slices.Backward(s.statuses[commit]) {
		if !slices.ContainsFunc(list, func(other tell) bool { return other.Context == one.Context }) {
			list = append(list, one)
		}
	}
	return list
}

func (s *standIn) listGitHubStatuses(w http.ResponseWriter, r *http.Request) {
	var list []any
	for _, one := range s.latest(r.PathValue("commit")) {
		list = append(list, map[string]string{"context": one.Context, "state": one.State, "description": one.Text, "target_url": one.URL})
	}
	s.page(w, r, func(list []any) any { return map[string]any{"state": "pending", "statuses": list} }, list)
}

func (s *standIn) listGitLabStatuses(w http.ResponseWriter, r *http.Request) {
	var list []any
	for _, one := range s.latest(r.PathValue("commit")) {
		list = append(list, map[string]string{"name": one.Context, "status": one.State, "description": one.Text, "target_url": one.URL})
	}
	s.page(w, r, plain, list)
}

func (s *standIn) setStatus(w http.ResponseWriter, r *http.Request) {
	var q struct {
		State, Context, Name, Description string
		TargetURL                         string `json:"target_url"`
	}
	if json.NewDecoder(r.Body).Decode(&q) != nil || len([]rune(q.Description)) > 140 {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	one := tell{q.Context + q.Name, q.State, q.Description, q.TargetURL}
	commit := r.PathValue("commit")
	for _, before := range s.latest(commit) {
		if s.kind == forge.GitLab && before.Context == one.Context && before.State == "pending" && one.State == "pending" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"message": "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")"}`)
			return
		}
	}
	s.statuses[commit] = append(s.statuses[commit], one)
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprint(w, `{"id": 1}`)
}

func (s *standIn) listPulls(w http.ResponseWriter, r *http.Request) {
	var list []any
	for _, p := range s.pulls {
		repository := 1
		if p.fork {
			repository = 2
		}
		if s.kind == forge.GitHub {
			repo := func(id int) map[string]any {
				return map[string]any{"id": id, "html_url": "https://github.example/acme/platform"}
			}
			list = append(list, map[string]any{
				"number": p.number, "user": map[string]any{"login": p.author},
				"head": map[string]any{"ref": p.branch, "sha": p.commit, "repo": repo(repository)}, "base": map[string]any{"ref": "main", "repo": repo(1)},
			})
			continue
		}
		list = append(list, map[string]any{
			"iid": p.number, "author": map[string]any{"id": len(p.author), "username": p.author}, "source_branch": p.branch, "sha": p.commit,
			"source_project_id": repository, "target_project_id": 1, "web_url": fmt.Sprintf("https://gitlab.example/acme/platform/-/merge_requests/%d", p.number),
		})
	}
	s.page(w, r, plain, list)
}

func (s *standIn) permission(w http.ResponseWriter, r *http.Request) {
	may := slices.Contains(s.writers, r.PathValue("login"))
	if s.kind == forge.GitHub {
		_, _ = fmt.Fprintf(w, `{"permission": %q}`, map[bool]string{true: "write", false: "read"}[may])
		return
	}
	for _, login := range s.writers {
		may = may || strconv.Itoa(len(login)) == r.PathValue("id")
	}
	if !may {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"message": "404 Not found"}`)
		return
	}
	_, _ = fmt.Fprint(w, `{"access_level": 30}`)
}

func (s *standIn) user(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintf(w, `{"id": %d, "login": %q, "username": %q}`, len(self), self, self)
}

func (s *standIn) listComments(w http.ResponseWriter, r *http.Request) {
	var list []any
	for _, c := range s.comments[number(r.PathValue("number"))] {
		who := map[string]any{"id": len(c.author), "login": c.author, "username": c.author}
		list = append(list, map[string]any{"id": c.id, "body": c.body, "user": who, "author": who})
	}
	s.page(w, r, plain, list)
}

func (s *standIn) addComment(w http.ResponseWriter, r *http.Request) {
	var q struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&q)
	s.next++
	at := number(r.PathValue("number"))
	s.comments[at] = append(s.comments[at], comment{s.next, self, q.Body})
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"id": %d}`, s.next)
}

func (s *standIn) editComment(w http.ResponseWriter, r *http.Request) {
	var q struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&q)
	for _, list := range s.comments {
		for i := range list {
			if list[i].id == number(r.PathValue("id")) {
				list[i].body = q.Body
				_, _ = fmt.Fprint(w, `{"id": 1}`)
				return
			}
		}
	}
	w.WriteHeader(http.StatusNotFound)
}
