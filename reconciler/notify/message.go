package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/event"
)

// Message is the body of a web hook: the events of one kind in one environment that came together.
type Message struct {
	ID           string     `json:"id"` // the same whenever it is sent again
	Notification string     `json:"notification"`
	Kind         event.Kind `json:"kind"`
	Environment  string     `json:"environment,omitempty"`
	Events       []Event    `json:"events"`
	More         int        `json:"more,omitempty"` // events that are omitted
	URL          string     `json:"url,omitempty"`  // the page of the console about their subject
}

// Event is one event of a Message.
type Event struct {
	At      time.Time `json:"at"`
	Team    string    `json:"team,omitempty"`
	Request string    `json:"request,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	Message string    `json:"message"`
}

const (
	mostEvents = 100 // of a Message
	mostLines  = 10  // of its text for people
	mostLine   = 400 // bytes
)

// add adds an event, or counts it where there are too many.
func (m *Message) add(e status.Event) {
	if len(m.Events) >= mostEvents {
		m.More++
		return
	}
	of := Event{At: e.At.UTC(), Cluster: e.Cluster, Message: plain(e.Message)}
	if e.Request != nil {
		of.Team, of.Request = e.Request.Team, e.Request.Name
	}
	m.Events = append(m.Events, of)
}

// link is the page of a console about the one request or the one cluster of all events, else about the environment; empty: there is no
// console.
func (m *Message) link(console string) string {
	if console == "" {
		return ""
	}
	first := m.Events[0]
	same := func(subject func(Event) string) bool {
		return !slices.ContainsFunc(m.Events, func(e Event) bool { return subject(e) != subject(first) })
	}
	console = strings.TrimSuffix(console, "/")
	switch {
	case first.Request != "" && same(func(e Event) string { return e.Team + "/" + e.Request }):
		return console + "/requests/" + url.PathEscape(first.Team) + "/" + url.PathEscape(first.Request)
	case m.Environment != "":
		return console + "/environments/" + url.PathEscape(m.Environment)
	case first.Cluster != "" && same(func(e Event) string { return e.Cluster }):
		return console + "/clusters/" + url.PathEscape(first.Cluster)
	default:
		return console + "/"
	}
}

// seal gives the message the ID by which a program knows one that it has taken already.
func (m *Message) seal() {
	m.ID = ""
	content, _ := json.Marshal(m) // of strings and times, which cannot fail
	sum := sha256.Sum256(content)
	m.ID = hex.EncodeToString(sum[:16])
}

// titles begin the text for people, by kind.
var titles = map[event.Kind]string{
	event.Approval: "Waits for approval", event.Promoted: "Promoted", event.Failed: "Failed",
	event.RolledBack: "Rolled back", event.Problem: "Problem", event.Recovered: "Recovered",
	event.Drift: "Drift", event.ClusterLost: "Cluster lost", event.ClusterBack: "Cluster is back",
}

// Text is the message for people, with nothing in it that steers a chat.
func (m *Message) Text() string {
	title := titles[m.Kind]
	if title == "" {
		title = harmless(string(m.Kind))
	}
	if m.Environment != "" {
		title += " in " + harmless(m.Environment)
	}
	lines, more := []string{}, m.More
	for i, e := range m.Events {
		if i >= mostLines {
			more += len(m.Events) - i
			break
		}
		var about []string
		if e.Request != "" {
			about = append(about, e.Team+"/"+e.Request)
		}
		if e.Cluster != "" {
			about = append(about, e.Cluster)
		}
		lines = append(lines, harmless(shortened(strings.Join(append(about, e.Message), ": "), mostLine)))
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	text := title + ": " + lines[0]
	if len(lines) > 1 {
		text = title + ":\n" + strings.Join(lines, "\n")
	}
	if m.URL != "" {
		text += "\n" + m.URL
	}
	return text
}
