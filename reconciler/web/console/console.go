package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

//go:embed static
var static embed.FS

//go:embed templates/*.html
var sources embed.FS

// Board is the status, as *status.Board keeps it.
type Board interface {
	Status() status.Status
	History() []status.Event
	Subscribe() (changed <-chan struct{}, end func())
}

// A Rung is a step on the way from the manifests that run back to the person who asked for them.
type Rung struct {
	Title   string
	Commit  string
	File    string
	Line    int
	Author  string
	When    time.Time
	Subject string
}

// A Past is a commit of an environment's state that changed an instance.
type Past struct {
	When    time.Time `json:"when"`
	Commit  string    `json:"state"` // of the state repository
	Release string    `json:"release,omitempty"`
	Version string    `json:"version,omitempty"`
	Merged  string    `json:"platform,omitempty"` // the platform commit that brought the release
	Author  string    `json:"author,omitempty"`   // of that commit
	Events  []string  `json:"events,omitempty"`
}

// A Person is who looks.
type Person struct {
	Name     string
	Role     string
	Teams    []string
	CanLogIn bool
	In       func(team string) bool // whether they may do a developer's work for a team; nil: for none

	// Approves says whether they may approve the file of a decision that is about a team, whether they are told of it whichever team that
	// is, and who else may. Omitted, everybody may.
	Approves func(file, team string) (may, named bool, owners []string)
	Apart    bool // they may approve more than others of their role and teams
}

// Options are the sources of the pages. Only Board and Person are required.
type Options struct {
	Board  Board
	Person func(r *http.Request) Person

	// Origin leads from an instance to the person who asked for it, and History lists its latest commits. Omitted, or where they fail,
	// the pages say so.
	Origin  func(ctx context.Context, environment string, request platform.RequestKey) ([]Rung, error)
	History func(ctx context.Context, environment string, request platform.RequestKey) ([]Past, error)

	// Activity lists commits of the platform and of states, and Commit finds one of them. Omitted, the pages tell events alone.
	Activity func(ctx context.Context, q api.ActivityQuery) (api.ActivityPage, error)
	Commit   func(ctx context.Context, commit string) (api.Activity, error)

	// Edit is the text of a request's file with other values, and all else as it is. Omitted, no page edits.
	Edit func(ctx context.Context, file string, set []Assignment) (string, error)

	// Changes compares two versions of an offering for whoever asks. Omitted, no page shows changes.
	Changes func(r *http.Request, from, to *platform.Version) (api.VersionChanges, error)

	// See looks at the pods of a placement for whoever asks. An error is one page that says why they see none; its method Code, if it
	// has one, gives the status of the answer. Omitted, no page shows pods.
	See func(r *http.Request, l Look) (Seen, error)

	// Open shows manifests, or compares them, for whoever asks, like See. Omitted, no page shows manifests.
	Open func(r *http.Request, l ManifestLook) (Manifests, error)

	// Plan is the plan of a branch for whoever asks, like See; with an empty one, the branches. Omitted, there is no such page.
	Plan func(r *http.Request, branch string) (PlanOfBranch, error)

	// PlanDraft is the plan of a file of a team that nobody committed yet, like See. Omitted, forms show none.
	PlanDraft func(r *http.Request, team string, d api.Draft) (PlanOfDraft, error)

	// Sample is a value that the schema of a parameter takes; nil: none comes to mind. Omitted, forms show those that schemas have themselves.
	Sample func(schema map[string]any) any

	// Leader is the name of the replica that answers. Omitted, there is one process.
	Leader func() string

	// GiveWay waits for a moment while work is under way that is more urgent than pages. Omitted, there is none.
	GiveWay func()

	// Now is the time. Omitted, it is time.Now.
	Now func() time.Time
}

// A Console serves the pages. It is safe for concurrent use.
type Console struct {
	Options
	pages map[string]*template.Template
	files http.Handler
	cache cache
	packs sync.Pool // *flate.Writer
}

// New returns the console of a Board.
func New(o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Console{Options: o, pages: map[string]*template.Template{}}
	c.cache.board, c.cache.now, c.cache.giveWay = o.Board, o.Now, o.GiveWay
	layout := template.Must(template.New("layout.html").Funcs(functions(&links{&c.cache})).ParseFS(sources, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(sources, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is right
	}
	for _, name := range names {
		page := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if page != "layout" && page != "parts" {
			c.pages[page] = template.Must(template.Must(layout.Clone()).ParseFS(sources, name))
		}
	}
	root, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	c.files = http.FileServerFS(root)
	return c
}

// Routes are the pages by their routes.
func (c *Console) Routes() map[string]http.Handler {
	routes := map[string]http.Handler{
		"/{$}":                              sharing{c}.serving(c.home),
		"/fleet":                            sharing{c}.serving(c.fleet),
		"/requests/{team}/{name}":           sharing{c}.serving(c.request),
		"/requests/{team}/{name}/edit":      c.page(ofRequests{c}.edit),
		"/requests/{team}/{name}/pods":      c.page(onClusters{c}.pods),
		"/requests/{team}/{name}/manifests": c.page(onClusters{c}.manifests),
		"/environments/{name}":              sharing{c}.serving(c.environment),
		"/clusters/{name}":                  sharing{c}.serving(c.cluster),
		"/changes/{commit}":                 c.page(ofCommits{c}.change),
		"/catalog":                          c.page(c.catalog),
		"/catalog/{offering}":               c.page(c.offering),
		"/catalog/{offering}/new":           c.page(c.form),
		"/plans":                            c.page(ofBranches{c}.plans),
		"/problems":                         sharing{c}.serving(c.problems),
		"/activity":                         c.page(ofCommits{c}.activity),
		"/events":                           c.page(ofCommits{c}.events),
		"/":                                 c.page(func(*http.Request, *model) (*view, error) { return nil, missing("There is no such page.") }),
	}
	for _, name := range Files() {
		routes["/"+name] = reading(c.files.ServeHTTP)
	}
	return routes
}

// Files are the names of the files that the pages need.
func Files() []string { return []string{"console.css", "console.js", "transom.svg"} }

// A view is the content of a page: the name of its template and the value that it shows.
type view struct {
	template string
	title    string
	section  string // of the navigation
	main     any
	until    time.Time // when the page has to be made anew although nothing changed; zero: never
	fleeting bool      // the next one may be another although nothing changed
}

// isUnfinished says whether a page shows more in a moment, although nothing changes.
func (v *view) isUnfinished() bool {
	page, ok := v.main.(interface{ isUnfinished() bool })
	return ok && page.isUnfinished()
}

// missing is an error that becomes the page 404.
type missing string

func (m missing) Error() string { return string(m) }

// codeOf is the status of a page that says an error.
func codeOf(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return http.StatusNotFound
}

// againAfter is the number of seconds after which somebody who found no room may try again.
const againAfter = "5"

// sentence is an error as its page says it. Where there was no room, or there is no answer yet, the page says when to try again, and so does
// the answer to a script.
func sentence(w http.ResponseWriter, code int, err error) string {
	if code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable {
		return err.Error()
	}
	w.Header().Set("Retry-After", againAfter)
	return err.Error() + ". Try again in " + againAfter + " s."
}

// A document is all that the layout shows.
type document struct {
	Title    string
	Section  string
	Person   Person
	Platform status.Platform
	Leader   string // empty: there is one process
	Troubles []string
	Catalog  bool
	Plans    bool
	Problems int
	Main     any
}

// page serves a view to GET and HEAD, with an ETag over its bytes.
func (c *Console) page(show func(r *http.Request, m *model) (*view, error)) http.Handler {
	return reading(func(w http.ResponseWriter, r *http.Request) {
		m, behind := c.cache.model(r.Context())
		v, err := show(r, m)
		c.serve(w, r, m, v, err, behind)
	})
}

// reading serves GET and HEAD.
func reading(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, r.Method+" is not allowed here: changes are merged", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
}

// serve answers with a view that is made for this request alone, or with the page of its error.
func (c *Console) serve(w http.ResponseWriter, r *http.Request, m *model, v *view, err error, behind bool) {
	code := http.StatusOK
	if err != nil {
		code = codeOf(err)
		v = &view{template: "missing", title: http.StatusText(code), main: named{http.StatusText(code), sentence(w, code, err)}}
	}
	if behind || v.isUnfinished() {
		w.Header().Set(behindHeader, "true")
	}
	var body bytes.Buffer
	if err := c.pages[v.template].ExecuteTemplate(&body, "layout.html", c.document(c.Person(r), m, v)); err != nil {
		failed(w, err)
		return
	}
	if tellTag(w, r, sha256.Sum256(body.Bytes())) {
		w.WriteHeader(code)
		_, _ = w.Write(body.Bytes()) // a browser that went away is no concern of ours
	}
}

// behindHeader tells the script to ask again soon.
const behindHeader = "Transom-Behind"

func failed(w http.ResponseWriter, err error) {
	http.Error(w, "make the page: "+err.Error(), http.StatusInternalServerError)
}

// tellTag writes the headers of a page, and says whether it has to be sent: a browser that has it is told so.
func tellTag(w http.ResponseWriter, r *http.Request, sum [sha256.Size]byte) bool {
	tag := fmt.Sprintf(`W/"%x"`, sum)
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return false
	}
	return true
}

// document is a view as the layout shows it to a person.
func (c *Console) document(who Person, m *model, v *view) document {
	d := document{
		Title: v.title, Section: v.section, Person: who, Platform: m.Platform, Troubles: m.troubles, Catalog: m.Platform.Offers() != nil, Plans: c.Plan != nil, Problems: m.wrong, Main: v.main,
	}
	if c.Leader != nil {
		d.Leader = c.Leader()
	}
	return d
}
