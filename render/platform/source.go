package platform

import (
	"sync"

	"transom.dev/render/strictyaml"
)

// A source is the text of a file, from which the place of a field is found again. Most files have no Problem, and trees are large,
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

// A latest is the tree of the text that was parsed last: the Problems of a file are mostly found one after the other, and a file is not
// parsed for each of them. It is safe for concurrent use; nil keeps nothing.
type latest struct {
	mu     sync.Mutex
	data   []byte // which this memory is, and not only equal to
	object *strictyaml.Object
}

// of is the tree of a text; nil: that is not the one that was parsed last.
func (l *latest) of(data []byte) *strictyaml.Object {
	if l == nil || len(data) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.data) != len(data) || &l.data[0] != &data[0] {
		return nil
	}
	return l.object
}

func (l *latest) keep(data []byte, object *strictyaml.Object) {
	if l == nil || object == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data, l.object = data, object
}
