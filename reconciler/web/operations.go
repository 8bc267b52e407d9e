package web

import (
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"

	"transom.dev/reconciler/status"
	"transom.dev/render/wording"
)

// description is the OpenAPI document. A test makes it of the operations, and keeps it so.
//
//go:embed openapi.json
var description []byte

// An operation is a route of the API, with the facts that describe it.
type operation struct {
	method     string // empty: GET
	route      string // as http.ServeMux takes it, without a method
	summary    string
	parameters reflect.Type // a struct, as readParameters fills it; nil: there are none
	body       string       // the media type of its body; empty: it has none
	answer     reflect.Type // that is encoded as JSON; nil: it is text
	media      string       // of an answer in another form than JSON, or beside it
	line       reflect.Type // of which such an answer has one a line; nil: it is text
	handler    http.Handler
}

// asking is an operation that answers a question with JSON.
func asking[P, A any](route, summary string, answer func(r *http.Request, p P) (A, error)) operation {
	return described[P, A](route, summary, func(r *http.Request, p P) (body, error) {
		a, err := answer(r, p)
		if err != nil {
			return body{}, err
		}
		return bodyOf(a)
	})
}

// repeating is an operation whose answer follows from the Board's status and its parameters alone, and is the same for everybody. Those who
// ask the same while it is made get it, too, however long it is.
func repeating[P comparable, A any](s *server, route, summary string, answer func(p P, changes int) (A, error)) operation {
	var one sync.Mutex // of the one who makes an answer: those to other questions wait for it
	var together singleflight.Group
	return described[P, A](route, summary, func(_ *http.Request, p P) (body, error) {
		key := answerKey{route, p}
		if b, known := s.answers.find(key); known {
			return b, nil
		}
		changes, answered := s.memory.ask() // the answer has to have these
		defer answered()
		made, err, _ := together.Do(fmt.Sprintf("%d %#v", changes, p), func() (any, error) {
			one.Lock()
			defer one.Unlock()
			if b, known := s.answers.find(key); known {
				return b, nil
			}
			a, err := answer(p, changes)
			if err != nil {
				return body{}, err
			}
			b, err := bodyOf(a)
			if err == nil {
				s.answers.keep(key, b, changes)
			}
			return b, err
		})
		return made.(body), err
	})
}

// described is an operation that has parameters P and answers with the JSON of an A.
func described[P, A any](route, summary string, answer func(r *http.Request, p P) (body, error)) operation {
	return operation{
		route: route, summary: summary, parameters: reflect.TypeFor[P](), answer: reflect.TypeFor[A](),
		handler: get(func(w http.ResponseWriter, r *http.Request) error {
			p, err := readParameters[P](r)
			if err != nil {
				return err
			}
			b, err := answer(r, p)
			if err != nil {
				return err
			}
			if b.next != "" {
				q := r.URL.Query()
				q.Set("after", b.next)
				w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.EscapedPath(), q.Encode()))
			}
			b.write(w, r)
			return nil
		}),
	}
}

// none is for operations without parameters.
type none struct{}

// operations are all of the API.
func operations(s *server) []operation {
	all := []operation{
		asking("/api/v1/status", "All that is known at one moment", s.status),
		asking("/api/v1/progress", "How far a commit has come in an environment", s.progress),
		{
			route: "/api/v1/events", summary: "The latest changes, the oldest first; with Accept: text/event-stream as they come, resumed behind Last-Event-ID",
			parameters: reflect.TypeFor[eventParameters](), answer: reflect.TypeFor[[]status.Event](), media: "text/event-stream", handler: get(s.events),
		},
		asking("/api/v1/explain", "Where an instance comes from", s.explain),
		asking("/api/v1/whoami", "Who asks, and with which role", s.whoami),
		{
			method: http.MethodPost, route: "/api/v1/reconcile", summary: "Ask every repository whether it moved, and have a pass made over every environment",
			answer:  reflect.TypeFor[[]Looked](),
			handler: answer(newLooker(s.Look).reconcile, "a look is asked for by POST", http.MethodPost),
		},
		{
			route: "/api/v1/openapi.json", summary: "This document", answer: reflect.TypeFor[map[string]any](),
			handler: get(func(w http.ResponseWriter, r *http.Request) error {
				if _, err := readParameters[none](r); err != nil {
					return err
				}
				newBody(description).write(w, r)
				return nil
			}),
		},
	}
	return slices.Concat(all, active(s), planned(s), resources(s), shown(s))
}

// paging is the part of a list that is asked for.
type paging struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" doc:"How many items at most; 500 where it is left out."`
	After string `query:"after" doc:"Items behind this one: the field next of the page before."`
}

func (p paging) paged() paging { return p }

const defaultPage = 500

// A listing is a page of a list.
type listing[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the parameter after of the next page; absent: this is the last one
}

func (l listing[T]) next() string { return l.Next }

// makeCursor makes the parameter after of the page behind an ID. Its sum tells it from text that no page gave: behind such a text items
// would be missing, and nobody would see that.
func makeCursor(id string) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32([]byte(id), crc32.ChecksumIEEE([]byte(id))))
}

// readCursor returns the ID of a parameter after; empty: that of the first page.
func readCursor(after string) (id string, err error) {
	if after == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(after)
	if end := len(text) - 4; err == nil && end > 0 && crc32.ChecksumIEEE(text[:end]) == binary.BigEndian.Uint32(text[end:]) {
		return string(text[:end]), nil
	}
	return "", refuse(http.StatusBadRequest, "after=%s: it is the field next of a page of this list", wording.Shorten(after)).
		mendedBy("ask without after= for the first page, and then as its header Link says")
}

// listed is an operation that lists the items of the status that a filter keeps, sorted by ID.
func listed[P interface {
	comparable
	paged() paging
}, T interface{ ID() string }](
	s *server, route, summary string, all func(status.Status) []T, keep func(P, *T) bool,
) operation {
	made := remember(s.memory, all)
	return repeating(s, route, summary, func(p P, changes int) (listing[T], error) {
		page, l := p.paged(), listing[T]{Items: []T{}}
		most := page.Limit
		if most == 0 {
			most = defaultPage
		}
		after, err := readCursor(page.After)
		if err != nil {
			return l, err
		}
		items, why := made.list(changes)
		if len(items) == 0 {
			return l, why
		}
		first := 0
		if after != "" {
			first = sort.Search(len(items), func(i int) bool { return items[i].ID() > after })
		}
		for _, one := range items[first:] {
			if !keep(p, &one) {
				continue
			}
			if len(l.Items) == most {
				l.Next = makeCursor(l.Items[most-1].ID())
				break
			}
			l.Items = append(l.Items, one)
		}
		return l, nil
	})
}

// named is an operation that answers with the item of a list that has an ID.
func named[P interface {
	comparable
	id() string
	noun() string
}, T interface{ ID() string }](
	s *server, route, summary string, all func(status.Status) []T,
) operation {
	made := remember(s.memory, all)
	return repeating(s, route, summary, func(p P, changes int) (found T, err error) {
		items, why := made.list(changes)
		if why != nil {
			return found, why
		}
		if i, is := slices.BinarySearchFunc(items, p.id(), func(one T, id string) int { return strings.Compare(one.ID(), id) }); is {
			return items[i], nil
		}
		var ids []string
		for _, one := range items {
			ids = append(ids, one.ID())
		}
		return found, notKnown(p.noun(), p.id(), ids)
	})
}
