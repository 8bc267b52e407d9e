package web

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"transom.dev/reconciler/web/api"
	"transom.dev/render/wording"
)

// errGone ends logs whose reader went away, or that are as long as they may be.
var errGone = errors.New("nobody reads on")

// A copier hands on the lines of several logs as they come.
type copier struct {
	mu        sync.Mutex
	take      func(api.Line) bool // false: nobody reads on; the empty line is a sign that more may come
	most      int                 // bytes
	remaining int                 // of them
}

// lineBytes is how much a line takes beside its texts.
const lineBytes = 32

func newCopier(most int, take func(api.Line) bool) *copier {
	return &copier{take: take, most: most, remaining: most}
}

// copy writes the lines of a log, each cleaned and cut.
func (c *copier) copy(l api.Log, from io.Reader) error {
	lines := bufio.NewReaderSize(from, mostLine)
	for {
		text, cut, err := lines.ReadLine()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		line := api.Line{Pod: l.Pod, Container: l.Container, Line: wording.CleanLine(string(text))}
		if cut {
			line.Line += " …"
		}
		for cut && err == nil {
			_, cut, err = lines.ReadLine()
		}
		if err := c.write(line); err != nil {
			return err
		}
	}
}

// rest sends a sign that more may come, and says whether somebody reads on.
func (c *copier) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(api.Line{})
}

// end writes why the answer ends, as its last line.
func (c *copier) end(why string) {
	_ = c.write(api.Line{Error: why}) // a client that went away needs no reason
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remaining = 0
}

func (c *copier) write(line api.Line) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remaining <= 0 {
		return errGone
	}
	if c.remaining -= lineBytes + len(line.Pod) + len(line.Container) + len(line.Line) + len(line.Error); c.remaining <= 0 {
		line = api.Line{Error: fmt.Sprintf("cut after %s: ask for fewer lines, or for one pod", sizeText(c.most))}
	}
	if !c.take(line) {
		return errGone
	}
	return nil
}

func sizeText(bytes int) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// encodeLine is a line as an answer has it: a JSON object, or, of the empty one, nothing.
func encodeLine(line api.Line) string {
	if line == (api.Line{}) {
		return "\n"
	}
	data, _ := json.Marshal(line) // texts always marshal
	return string(data) + "\n"
}
