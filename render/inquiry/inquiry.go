// Package inquiry has the checks of environments: questions that other parties answer before a change goes on. In come a check, as
// platform.Load compiled it, and the variables of one subject; out comes the question as it is asked. Nobody is asked here.
package inquiry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"transom.dev/render/expression"
)

// MaxBytes bounds the text of a check, and half of that of a question.
const MaxBytes = 4096

// A Check is a question to another party: whether a release may enter an environment, or stay on a cluster that a rollout
// brought it to.
type Check struct {
	Name       string
	URL        *expression.Template // of an HTTP service that answers JSON {"pass": true, "message": "…"}; nil: Prometheus is asked
	Prometheus *Prometheus
	Job        string        // the directory of versions whose Job runs beside the release, such as checks/smoke; empty: a party is asked
	Every      time.Duration // between two questions
	For        time.Duration // for how long it has to pass
	Timeout    time.Duration // of one question
	Patience   time.Duration // for how long in all a rollout waits for a party that does not answer; 0: for ever

	File string // of the environment
}

// A Prometheus check passes where the one value of a query is as it is to be.
type Prometheus struct {
	URL   string // of the server, without /api/v1
	Query *expression.Template
	Is    Comparison
}

// A Comparison is a condition on a number, such as < 0.01.
type Comparison struct {
	Operator string
	Number   float64
}

// IsMet reports whether a number is as the comparison asks.
func (c Comparison) IsMet(value float64) bool {
	switch c.Operator {
	case "<":
		return value < c.Number
	case "<=":
		return value <= c.Number
	case ">":
		return value > c.Number
	case ">=":
		return value >= c.Number
	case "==":
		return value == c.Number
	}
	return value != c.Number
}

// String is the form in which people write a comparison.
func (c Comparison) String() string {
	return c.Operator + " " + strconv.FormatFloat(c.Number, 'g', -1, 64)
}

// Party is the address of the service that the check asks, without the question; or its Job.
func (c *Check) Party() string {
	if c.Job != "" {
		return "Job " + c.Job
	}
	address := ""
	if c.Prometheus != nil {
		address = c.Prometheus.URL
	} else {
		address = c.URL.Head()
	}
	scheme, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return scheme + "://" + host
}

// A Text is a check filled in for one subject.
type Text struct {
	URL   string // of the service, or of a Prometheus
	Query string // to that Prometheus; empty: the service is asked
	Run   string // of Jobs, as Run.String; empty: none runs
}

// Fill fills the check in with the variables that it may name, as far as a tally goes. A check by Jobs has none: its question is a Run.
func (c *Check) Fill(vars map[string]any, spent *expression.Tally) (q Text, err error) {
	if c.Job != "" {
		return Text{}, nil
	}
	if p := c.Prometheus; p != nil {
		q.URL = p.URL
		q.Query, err = p.Query.Fill(vars, quoteQuery, spent)
	} else {
		q.URL, err = c.URL.Fill(vars, EscapeURL, spent)
	}
	if spent.Over() {
		return Text{}, fmt.Errorf("%w, as much as a check of one release may cost by how many there are; let it do less", err)
	}
	if length := len(q.URL) + len(q.Query); err == nil && length > 2*MaxBytes {
		err = fmt.Errorf("comes to %d bytes; at most %d", length, 2*MaxBytes)
	}
	return q, err
}

// EscapeURL writes a value so that it is one segment of a path, or one value of a query.
func EscapeURL(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// quoteQuery writes a value so that it stays within a string of PromQL, whichever quotes that has. Backquotes have no escape.
func quoteQuery(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, "`", "", "\n", `\n`, "\x00", "").Replace(value)
}
