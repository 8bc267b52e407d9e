package apply

import (
	"encoding/binary"
	"mime"
	"net/http"
)

// events finds where the events of a watch begin and end in the bytes that arrive, without parsing them.
type events interface {
	// feed takes the bytes that arrived next. It returns how long the longest event is that some of them belong to, as far as
	// that is known, and whether the last one has not ended.
	feed(p []byte) (longest int64, within bool)
}

// eventsOf knows the two forms that a watch is answered in. Nil is anything else, which is no watch or none that can be read.
func eventsOf(req *http.Request, res *http.Response) events {
	kind, parameters, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || res.StatusCode != http.StatusOK || req.URL.Query().Get("watch") == "" {
		return nil
	}
	switch {
	case kind == "application/json":
		return &jsonEvents{}
	case kind == "application/vnd.kubernetes.protobuf" && parameters["stream"] == "watch":
		return &framedEvents{}
	default:
		return nil
	}
}

// jsonEvents are JSON objects, one after the other.
type jsonEvents struct {
	size    int64
	depth   int
	quoted  bool
	escaped bool
}

func (e *jsonEvents) feed(p []byte) (longest int64, within bool) {
	for _, c := range p {
		e.size++
		switch {
		case e.escaped:
			e.escaped = false
		case e.quoted:
			e.escaped, e.quoted = c == '\\', c != '"'
		case c == '"':
			e.quoted = true
		case c == '{' || c == '[':
			e.depth++
		case c == '}' || c == ']':
			e.depth--
		}
		ends := c == '}' || c == '\n'
		if ends && e.depth <= 0 && !e.quoted {
			longest = max(longest, e.size)
			e.size, e.depth = 0, 0
		}
	}
	return max(longest, e.size), e.size > 0
}

// framedEvents have their length before them.
type framedEvents struct {
	head [4]byte
	have int   // bytes of head
	rest int64 // bytes of the event that have not come
}

func (e *framedEvents) feed(p []byte) (longest int64, within bool) {
	longest = e.rest
	for len(p) > 0 {
		if e.have < len(e.head) {
			n := copy(e.head[e.have:], p)
			e.have, p = e.have+n, p[n:]
			if e.have < len(e.head) {
				break
			}
			e.rest = int64(binary.BigEndian.Uint32(e.head[:]))
			longest = max(longest, e.rest)
		}
		n := min(int64(len(p)), e.rest)
		e.rest, p = e.rest-n, p[n:]
		if e.rest == 0 {
			e.have = 0
		}
	}
	return longest, e.have > 0
}
