package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
)

// Bounds of the messages in the pipes.
const (
	maxRequest  = 64 << 20
	maxObjects  = 24 << 20
	maxResponse = maxObjects + 1<<20
	maxMessage  = 64 << 10
	maxDepth    = 10_000
)

// A request is a job with the processor time that it may take.
type request struct {
	seconds int
	files   map[string][]byte
	chart   []byte
}

// A response is the result of a job: documents, or one of the errors.
type response struct {
	used    int64 // microseconds of processor time, of the worker since it began
	failure *kustomize.Failure
	message string // of any other error
	objects []byte // encoded documents
}

var errBroken = errors.New("not what a worker says")

func writeFrame(w io.Writer, content []byte) error {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(content)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func readFrame(r io.Reader, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if int64(size) > int64(most) {
		return nil, errBroken
	}
	content := make([]byte, size)
	_, err := io.ReadFull(r, content)
	return content, err
}

func (q request) encode() []byte {
	e := encoder{}
	e.number(q.seconds)
	e.number(len(q.files))
	for _, name := range slices.Sorted(maps.Keys(q.files)) {
		e.text(name)
		e.text(string(q.files[name]))
	}
	e.text(string(q.chart))
	return e.out
}

func decodeRequest(content []byte) (q request, err error) {
	d := decoder{in: content}
	q.seconds, q.files = d.number(), map[string][]byte{}
	for n := d.number(); n > 0 && d.err == nil; n-- {
		name := d.text()
		q.files[name] = []byte(d.text())
	}
	q.chart = []byte(d.text())
	return q, d.err
}

func (a response) encode() []byte {
	e := encoder{}
	e.number(int(a.used))
	e.text(a.message)
	e.flag(a.failure != nil)
	if a.failure != nil {
		e.text(a.failure.Dir)
		e.text(a.failure.Message)
	}
	return append(e.out, a.objects...)
}

func decodeResponse(content []byte) (a response, err error) {
	d := decoder{in: content}
	a.used, a.message = int64(d.number()), d.text()
	if d.flag() {
		a.failure = &kustomize.Failure{Dir: d.text()}
		a.failure.Message = d.text()
	}
	a.objects = d.in
	return a, d.err
}

// documents are the decoded objects, or the error.
func (a response) documents() ([]*yaml.Node, error) {
	switch {
	case a.failure != nil:
		return nil, a.failure
	case a.message != "":
		return nil, errors.New(a.message)
	}
	return decodeNodes(a.objects)
}

// encodeNodes writes trees of nodes. A node that is met again is written as a reference, so that the decoded
// trees share the same nodes; it counts as often as it is met.
func encodeNodes(documents []*yaml.Node) ([]byte, error) {
	e := encoder{seen: map[*yaml.Node]*visit{}}
	e.number(len(documents))
	for _, n := range documents {
		e.node(n, 0)
	}
	if e.wrong != "" {
		return nil, &kustomize.Failure{Message: e.wrong}
	}
	return e.out, nil
}

func decodeNodes(content []byte) ([]*yaml.Node, error) {
	d := decoder{in: content}
	var documents []*yaml.Node
	for n := d.number(); n > 0 && d.err == nil; n-- {
		documents = append(documents, d.node(0))
	}
	return documents, d.err
}

// An encoder writes numbers as varints and texts with their length before them.
type encoder struct {
	out   []byte
	seen  map[*yaml.Node]*visit
	size  int    // of all nodes, each as often as it is met
	wrong string // no more is written
}

// A visit is the number of a node, in the order in which nodes are met, and its size with all below; 0: not known yet.
type visit struct{ number, size int }

func (e *encoder) number(n int) { e.out = binary.AppendUvarint(e.out, uint64(n)) }

func (e *encoder) text(s string) {
	e.number(len(s))
	e.out = append(e.out, s...)
}

func (e *encoder) flag(yes bool) {
	if yes {
		e.out = append(e.out, 1)
	} else {
		e.out = append(e.out, 0)
	}
}

// node writes the node's number among those seen, and the node itself only the first time. Number 0 stands for none.
func (e *encoder) node(n *yaml.Node, depth int) {
	switch known := e.seen[n]; {
	case e.wrong != "":
		return
	case n == nil:
		e.number(0)
		return
	case known != nil && known.size == 0 || depth > maxDepth:
		e.wrong = "has an object that contains itself or is nested too deep"
		return
	case known != nil:
		e.number(known.number)
		e.count(known.size)
		return
	}
	before, v := e.size, &visit{number: len(e.seen) + 1}
	e.seen[n] = v
	written := len(e.out)
	e.number(v.number)
	e.number(int(n.Kind))
	e.number(int(n.Style))
	e.number(n.Line)
	e.number(n.Column)
	for _, text := range []string{n.Tag, n.Value, n.Anchor, n.HeadComment, n.LineComment, n.FootComment} {
		e.text(text)
	}
	e.count(len(e.out) - written)
	e.node(n.Alias, depth+1)
	e.number(len(n.Content))
	for _, child := range n.Content {
		e.node(child, depth+1)
	}
	v.size = e.size - before
}

func (e *encoder) count(bytes int) {
	if e.size += bytes; e.size > maxObjects {
		e.wrong = fmt.Sprintf("comes to more than %d MiB", maxObjects>>20)
	}
}

// A decoder reads the bytes of an encoder. After an error it reads zeros.
type decoder struct {
	in   []byte
	err  error
	seen []*yaml.Node
}

func (d *decoder) number() int {
	n, size := binary.Uvarint(d.in)
	if size <= 0 || n > 1<<62 {
		d.in, d.err = nil, errBroken
		return 0
	}
	d.in = d.in[size:]
	return int(n)
}

func (d *decoder) text() string {
	n := d.number()
	if n > len(d.in) {
		d.in, d.err = nil, errBroken
		return ""
	}
	s := string(d.in[:n])
	d.in = d.in[n:]
	return s
}

func (d *decoder) flag() bool {
	if len(d.in) == 0 {
		d.err = errBroken
		return false
	}
	yes := d.in[0] == 1
	d.in = d.in[1:]
	return yes
}

func (d *decoder) node(depth int) *yaml.Node {
	switch number := d.number(); {
	case number == 0:
		return nil
	case number <= len(d.seen):
		return d.seen[number-1]
	case number != len(d.seen)+1, depth > maxDepth+1:
		d.in, d.err = nil, errBroken
		return nil
	}
	n := &yaml.Node{}
	d.seen = append(d.seen, n)
	n.Kind, n.Style = yaml.Kind(d.number()), yaml.Style(d.number())
	n.Line, n.Column = d.number(), d.number()
	for _, text := range []*string{&n.Tag, &n.Value, &n.Anchor, &n.HeadComment, &n.LineComment, &n.FootComment} {
		*text = d.text()
	}
	n.Alias = d.node(depth + 1)
	children := d.number()
	if children > len(d.in) {
		d.in, d.err = nil, errBroken
		return n
	}
	if children > 0 {
		n.Content = make([]*yaml.Node, 0, children)
	}
	for ; children > 0 && d.err == nil; children-- {
		n.Content = append(n.Content, d.node(depth+1))
	}
	return n
}
