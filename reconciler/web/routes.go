package web

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"

	"transom.dev/reconciler/web/access"
)

// roles is the table of who may ask for what. A route that is not in it answers nobody. Whoever has to log in first is anybody;
// health is for the kubelet, and style and icon are for the page on which people log in.
var roles = map[string]access.Role{
	"/healthz":            access.Anybody,
	"/readyz":             access.Anybody,
	"/console.css":        access.Anybody,
	"/transom.svg":        access.Anybody,
	"GET /login":          access.Anybody,
	"POST /login":         access.Anybody,
	"GET /login/callback": access.Anybody,
	"POST /logout":        access.Anybody,
	"/console.js":         access.Viewer,
	"/docs/{page...}":     access.Viewer,
	"/api/":               access.Viewer,
	"/api/v1/status":      access.Viewer,
	"/api/v1/progress":    access.Viewer,
	"/api/v1/events":      access.Viewer,
	"/api/v1/explain":     access.Viewer,
	"/api/v1/whoami":      access.Viewer,
	"/metrics":            access.Viewer,

	// Things by their kind.
	"/api/v1/openapi.json":                                       access.Viewer,
	"/api/v1/offerings":                                          access.Viewer,
	"/api/v1/offerings/{offering}":                               access.Viewer,
	"/api/v1/offerings/{offering}/versions/{version}":            access.Viewer,
	"/api/v1/offerings/{offering}/versions/{version}/changes":    access.Viewer, // developers see lines of files, too
	"/api/v1/requests":                                           access.Viewer,
	"/api/v1/requests/{team}/{request}":                          access.Viewer,
	"/api/v1/requests/{team}/{request}/plan":                     access.Developer, // of that team
	"/api/v1/instances":                                          access.Viewer,
	"/api/v1/instances/{environment}/{team}/{request}":           access.Viewer,
	"/api/v1/instances/{environment}/{team}/{request}/history":   access.Viewer,
	"/api/v1/instances/{environment}/{team}/{request}/pods":      access.Developer, // of that team
	"/api/v1/instances/{environment}/{team}/{request}/events":    access.Developer, // of that team
	"/api/v1/instances/{environment}/{team}/{request}/logs":      access.Developer, // of that team
	"/api/v1/instances/{environment}/{team}/{request}/manifests": access.Developer, // of that team
	"/api/v1/instances/{environment}/{team}/{request}/diff":      access.Developer, // of that team
	"/api/v1/environments":                                       access.Viewer,
	"/api/v1/environments/{environment}":                         access.Viewer,
	"/api/v1/clusters":                                           access.Viewer,
	"/api/v1/clusters/{cluster}":                                 access.Viewer,
	"/api/v1/problems":                                           access.Viewer,
	"/api/v1/drift":                                              access.Viewer,
	"/api/v1/debt":                                               access.Viewer,
	"/api/v1/decisions":                                          access.Viewer,
	"/api/v1/activity":                                           access.Viewer,
	"/api/v1/activity/{commit}":                                  access.Viewer,

	"/api/v1/branches":  access.Developer,
	"/api/v1/plans":     access.Developer, // of any team, with the differences of their own
	"/api/v1/reconcile": access.Developer,
	hookPath:            access.Anybody, // a call proves itself

	// The pages of the console.
	"/":                                 access.Viewer,
	"/{$}":                              access.Viewer,
	"/fleet":                            access.Viewer,
	"/requests/{team}/{name}":           access.Viewer,
	"/requests/{team}/{name}/edit":      access.Viewer, // which tells all but developers of the team that it is for those
	"/requests/{team}/{name}/pods":      access.Viewer, // which tells all but developers of the team that it shows them nothing
	"/requests/{team}/{name}/manifests": access.Viewer, // the same
	"/environments/{name}":              access.Viewer,
	"/clusters/{name}":                  access.Viewer,
	"/changes/{commit}":                 access.Viewer,
	"/catalog":                          access.Viewer,
	"/catalog/{offering}":               access.Viewer,
	"/catalog/{offering}/new":           access.Viewer,
	"/plans":                            access.Viewer, // which tells all but developers that it shows them nothing
	"/problems":                         access.Viewer,
	"/activity":                         access.Viewer,
	"/events":                           access.Viewer,
}

// mostBody is how long the body of a request may be. A route that takes longer ones bounds them itself, in bodies.
const mostBody = 64 << 10

// bodies are the routes that take longer bodies than others.
var bodies = map[string]int64{hookPath: hookBytes}

// A router answers each route to those who have its role.
type router struct {
	mux     *http.ServeMux
	access  *access.Guard
	readers *readers
	passes  courtesy
	routes  []string // all that are answered
}

func newRouter(s *server) *router {
	rt := &router{mux: http.NewServeMux(), access: s.Access, readers: newReaders(s.MostRequests, s.Limited), passes: s.passes}
	rt.answer("/healthz", get(s.healthy))
	rt.answer("/readyz", get(s.ready))
	for _, o := range operations(s) {
		rt.answer(o.route, o.handler)
	}
	rt.answer(hookPath, answer(newHooks(s.Hooks).take, "Git servers POST here that something was pushed", http.MethodPost))
	if !s.MetricsElsewhere {
		rt.answer("/metrics", get(metrics(s.Options)))
	}
	if s.Docs != nil {
		serve, err := documents(s.Docs)
		if err != nil {
			panic(err) // the files are compiled in
		}
		rt.answer("/docs/{page...}", get(serve))
	}
	rt.answer("/api/", get(func(_ http.ResponseWriter, r *http.Request) error {
		return refuse(http.StatusNotFound, "nothing at %s; the console is at / and the API below /api/v1/", r.URL.Path)
	}))
	for route, page := range pages(s).Routes() {
		rt.answer(route, gzhttp.GzipHandler(page)) // a page of the fleet is a tenth of its size
	}
	rt.answer("GET /login", http.HandlerFunc(s.Access.Login))
	rt.answer("POST /login", http.HandlerFunc(s.Access.LoginByToken))
	rt.answer("GET /login/callback", http.HandlerFunc(s.Access.Callback))
	rt.answer("POST /logout", http.HandlerFunc(s.Access.Logout))
	return rt
}

func (rt *router) answer(route string, h http.Handler) {
	if roles[route] == access.Developer {
		h = ofTheTeam(h)
	}
	rt.mux.Handle(route, h)
	rt.routes = append(rt.routes, route)
}

// ServeHTTP is part of http.Handler.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, route := rt.mux.Handler(r)
	need, listed := roles[route]
	if !listed {
		need = access.Nobody
	}
	who, err := rt.access.Admit(r, need)
	r = r.WithContext(access.With(r.Context(), who))
	switch {
	case err != nil && statusOf(err) == http.StatusUnauthorized && forPage(r): // as cheap as to say that it is too much
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	case !rt.readers.mayAsk(r, route):
		rt.readers.tellTooMany(w, r)
	case err == nil:
		if _, longer := bodies[route]; !longer {
			r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		}
		if need != access.Anybody { // health, web hooks and logging in wait for no pass
			rt.passes.wait(r.Context().Done(), courtesyTime, courtesyTime)
		}
		rt.mux.ServeHTTP(w, r)
	default:
		tellRefusal(w, r, err)
	}
}

// ofTheTeam refuses a developer of other teams than the one that a request names, in its path or as team=.
func ofTheTeam(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		team := cmp.Or(r.PathValue("team"), r.URL.Query().Get("team"))
		if who := access.Of(r.Context()); team != "" && !who.In(team) {
			writeError(w, refuse(http.StatusForbidden, "%s of %s, and this is of team %.100q", who, strings.Join(who.Teams, ", "), team))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// forPage says whether a browser asks for a page, where it can be sent to log in.
func forPage(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func tellRefusal(w http.ResponseWriter, r *http.Request, err error) {
	switch statusOf(err) {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="transom"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "60")
	}
	tell(w, r, failureOf(err))
}

// tell answers with a failure: with a page where a browser asks for one, else with JSON.
func tell(w http.ResponseWriter, r *http.Request, f failure) {
	if !forPage(r) {
		writeError(w, f)
		return
	}
	seconds, _ := strconv.Atoi(w.Header().Get("Retry-After")) // there is none: it does not help to wait
	access.WriteRefusal(w, f.code, f.message, seconds)
}

// A person is who asks, and whether they could log in as somebody else.
type person struct {
	access.Identity
	Login bool `json:"login"`
}

func (s *server) whoami(r *http.Request, _ none) (person, error) {
	return person{access.Of(r.Context()), s.Access.Known()}, nil
}
