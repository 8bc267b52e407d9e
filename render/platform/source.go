package platform

import (
	"slices"
	"sync"

	"transom.dev/render/strictyaml"
)

// A source is the text of a file, from which the position of a field is found again. Most files have no Problem, and trees are large,
// so that no tree is kept beside the text.
type source struct {
	data   []byte
	latest *latest // nil: the text is parsed whenever it is asked
}

func (s source) object() *strictyaml.Object {
	if object := s.latest.of(s.data); object != nil {
		return object
	}
	object, _ := strictyaml.Parse(s.data)
	s.latest.keep(s.data, object)
	return object
}

// A latest is the trees of the texts that were parsed last: the Problems of a file are mostly found one after the other, and a file is
// not parsed for each of them. There are some, as several files may be read at once. It is safe for concurrent use; nil keeps nothing.
type latest struct {
	mu   sync.Mutex
	kept []parsed // the newest last
}

type parsed struct {
	data   []byte
	object *strictyaml.Object
}

// is says whether a text is this one: the same memory, and not only equal bytes.
func (p parsed) is(data []byte) bool { return len(p.data) == len(data) && &p.data[0] == &data[0] }

// of is the tree of a text; nil: that is not one of those that were parsed last.
func (l *latest) of(data []byte) *strictyaml.Object {
	if l == nil || len(data) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.kept {
		if p.is(data) {
			return p.object
		}
	}
	return nil
}

// keep takes in a tree. A tree takes many times the memory of its text, so that one of a large file is kept alone.
func (l *latest) keep(data []byte, object *strictyaml.Object) {
	const most, mostBytes = 8, 1 << 20
	if l == nil || object == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, parsed{data, object})
	bytes := 0
	for n := len(l.kept) - 1; n >= 0; n-- {
		bytes += len(l.kept[n].data)
		older := n < len(l.kept)-1
		if tooMuch := len(l.kept)-n > most || bytes > mostBytes; tooMuch && older {
			l.kept = slices.Delete(l.kept, 0, n+1)
			return
		}
	}
}
