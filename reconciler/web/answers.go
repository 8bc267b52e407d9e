package web

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// A body is an answer in JSON, as it is sent.
type body struct {
	text []byte
	long func(io.Writer) error // writes a text that is too long to be kept; nil: text is all
	tag  string                // over the text, so that a client that asks again pays only for changes
	next string                // the parameter after of the next page of a list; empty: there is none
}

func newBody(text []byte) body {
	return body{text: text, tag: fmt.Sprintf(`"%x"`, sha256.Sum256(text))}
}

func bodyOf(v any) (body, error) {
	text := &summed{sum: sha256.New()}
	if err := writeValue(text, v); err != nil {
		return body{}, fmt.Errorf("encode the answer: %w", err)
	}
	b := body{text: text.kept.Bytes(), tag: fmt.Sprintf(`"%x"`, text.sum.Sum(nil))}
	if text.long {
		b.long = func(w io.Writer) error { return writeValue(w, v) }
	}
	if paged, ok := v.(interface{ next() string }); ok {
		b.next = paged.next()
	}
	return b, nil
}

func (b body) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", b.tag)
	if r.Header.Get("If-None-Match") == b.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if b.long != nil {
		_ = b.long(w) // a client that went away is no concern of ours
		return
	}
	_, _ = w.Write(b.text)
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := bodyOf(v)
	if err == nil {
		b.write(w, r)
	}
	return err
}

const (
	// mostAnswers is how many bytes of answers are kept, and mostAnswer how many of one.
	mostAnswers = 8 << 20
	mostAnswer  = mostAnswers / 8
	// beside is what it takes to keep an answer or a part beside their text: very many may be short.
	beside = 512
)

// An answerKey is a route with its parameters, which are comparable.
type answerKey struct {
	route      string
	parameters any
}

// answers are kept until something changes. They are safe for concurrent use.
type answers struct {
	memory *memory

	mu      sync.Mutex
	changes int // that are in the answers
	bytes   int
	made    map[answerKey]body
}

func newAnswers(m *memory) *answers {
	a := &answers{memory: m}
	m.forget = append(m.forget, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.made, a.bytes = nil, 0
	})
	return a
}

// find returns the answer to a question, if it has all that the Board knows now.
func (a *answers) find(key answerKey) (b body, known bool) {
	changes := a.memory.changes()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changes != changes {
		return body{}, false
	}
	b, known = a.made[key]
	return b, known
}

// keep keeps an answer that was made after so many changes. Where there is no room, all others go.
func (a *answers) keep(key answerKey, b body, changes int) {
	size := beside + len(b.text) + len(fmt.Sprint(key.parameters))
	a.mu.Lock()
	defer a.mu.Unlock()
	if size > mostAnswer || b.long != nil || changes < a.changes {
		return
	}
	if a.made == nil || a.changes != changes || a.bytes+size > mostAnswers {
		a.made, a.bytes, a.changes = map[answerKey]body{}, 0, changes
	}
	a.bytes += size
	a.made[key] = b
}
