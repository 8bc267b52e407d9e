package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/reconciler/status"
)

const (
	// mostAtOnce is how many bytes of events are written at once: a history is longer, and very many may ask for it.
	mostAtOnce = 16 << 10
	// mostEncoded is how many bytes of parts are kept. It is more than a whole history for everybody, and the news of many views.
	mostEncoded = 4 << 20
)

// encodedEvents are the parts of one history as streams send them. Each is made once for all streams that see the same and were told as
// much, until the history changes. They are safe for concurrent use.
type encodedEvents struct {
	mu     sync.Mutex // of the one who makes a part, which is short: the others wait for it
	of     *status.Event
	events int
	parts  map[viewAt]encodedPart
	bytes  int
}

// A viewAt is the selection of a stream, and how far it was told.
type viewAt struct {
	selection
	cursor
}

// An encodedPart is the text behind a cursor, and where it ends.
type encodedPart struct {
	text string
	end  cursor
	more bool
}

// part is what a stream sends of a history behind a cursor, which is the one behind the part then; more says that others follow, else the
// part ends with the news that something changed.
func (e *encodedEvents) part(history []status.Event, selected selection, at cursor) (text string, end cursor, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var of *status.Event
	if len(history) > 0 {
		of = &history[0]
	}
	if e.parts == nil || e.of != of || e.events != len(history) || e.bytes > mostEncoded {
		e.of, e.events, e.parts, e.bytes = of, len(history), map[viewAt]encodedPart{}, 0
	}
	view := viewAt{selected, at}
	if p, known := e.parts[view]; known {
		return p.text, p.end, p.more
	}
	p := encode(history, selected, at)
	e.parts[view] = p
	e.bytes += beside + len(p.text) + len(selected.Team) + len(selected.Request) + len(selected.Environment)
	return p.text, p.end, p.more
}

// encode writes the selected events of a history behind a cursor.
func encode(history []status.Event, selected selection, at cursor) encodedPart {
	first, _ := slices.BinarySearchFunc(history, at.nanos, func(e status.Event, nanos int64) int {
		return e.At.Compare(time.Unix(0, nanos))
	})
	var w strings.Builder
	repeated := 0 // events at the cursor's own instant that were sent before
	for _, e := range history[first:] {
		if w.Len() >= mostAtOnce {
			return encodedPart{w.String(), at, true}
		}
		if e.At.UnixNano() == at.nanos {
			if repeated++; repeated <= at.sent {
				continue
			}
			at.sent++
		} else {
			at, repeated = cursor{nanos: e.At.UnixNano(), sent: 1}, 1
		}
		if !selected.event(e) {
			continue
		}
		data, err := json.Marshal(e)
		if err != nil { // an event is plain data, so this is a defect that a reader should see
			data = fmt.Appendf(nil, `{"message":%q}`, err.Error())
		}
		fmt.Fprintf(&w, "id: %s\nevent: event\ndata: %s\n\n", at, data)
	}
	w.WriteString(changedMessage)
	return encodedPart{w.String(), at, false}
}
