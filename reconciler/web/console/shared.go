package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// A content is that of a page, for all who may see the same, as it is sent: as it is, and compressed without regard to anything that
// stands before it, so that it is compressed once for all heads.
type content struct {
	view        // without main
	raw, packed []byte
	sum         [sha256.Size]byte
}

func (c *content) size() int { return len(c.raw) + len(c.packed) }
func (c *content) isGood(now time.Time) bool {
	return !c.fleeting && (c.until.IsZero() || now.Before(c.until))
}

// A shared page is one person's: the content that others see too, within a head of their own.
type shared struct {
	head, tail []byte
	gzip       []byte            // all of it
	sum        [sha256.Size]byte // of all of it
}

func (s *shared) size() int             { return len(s.head) + len(s.tail) + len(s.gzip) }
func (s *shared) isGood(time.Time) bool { return true } // it is kept for exactly the bytes of its content

// sharing makes the pages of a Console that people share.
type sharing struct{ *Console }

// serving is a page whose content follows from the model, the address and the person's role and teams. It is made once for all who share
// these, and compressed once; the page around it is made once for each person.
func (c sharing) serving(show func(r *http.Request, m *model) (*view, error)) http.Handler {
	return reading(func(w http.ResponseWriter, r *http.Request) {
		m, behind := c.cache.model(r.Context())
		who, now := c.Person(r), c.Now()
		seen := fmt.Sprintf("%s %q %q", r.URL.RequestURI(), who.Role, who.Teams)
		if seen = fmt.Sprintf("%s %t", seen, who.Name != ""); who.Apart {
			seen += " " + who.Name
		}
		alone := r.WithContext(context.WithoutCancel(r.Context())) // others may wait for it who stay
		made, err := m.contents.find(r.Context(), seen, now, func() (*content, error) { return c.content(alone, m, show) })
		if err != nil {
			c.serve(w, r, m, nil, err, behind)
			return
		}
		leader := ""
		if c.Leader != nil {
			leader = c.Leader()
		}
		of := fmt.Sprintf("%s %x %q %t %q", seen, made.sum, who.Name, who.CanLogIn, leader)
		page, err := m.shared.find(r.Context(), of, now, func() (*shared, error) { return c.around(made, who, m) })
		if err != nil {
			failed(w, err)
			return
		}
		if behind {
			w.Header().Set(behindHeader, "true")
		}
		page.send(w, r, made.raw)
	})
}

// content makes the content of a page.
func (c sharing) content(r *http.Request, m *model, show func(r *http.Request, m *model) (*view, error)) (*content, error) {
	v, err := show(r, m)
	if err != nil {
		return nil, err
	}
	if c.GiveWay != nil { // to show may have taken a while
		c.GiveWay()
	}
	var body bytes.Buffer
	if err := c.pages[v.template].ExecuteTemplate(&body, "main", v.main); err != nil {
		return nil, err
	}
	made := &content{view: *v, raw: body.Bytes(), packed: c.pack(body.Bytes()), sum: sha256.Sum256(body.Bytes())}
	made.main = nil // it may be large, and nobody shows it again
	return made, nil
}

// seam is where the content stands in a head that is made without it. No text has it: templates replace this character.
const seam = "\x00"

// around makes a person's page around a content.
func (c sharing) around(made *content, who Person, m *model) (*shared, error) {
	v := made.view
	v.main = template.HTML(seam) //nolint:gosec // it is no text of anybody's
	var body bytes.Buffer
	if err := c.pages["made"].ExecuteTemplate(&body, "layout.html", c.document(who, m, &v)); err != nil {
		return nil, err
	}
	head, tail, _ := bytes.Cut(body.Bytes(), []byte(seam))
	page := &shared{head: head, tail: tail, sum: sha256.Sum256(bytes.Join([][]byte{head, made.sum[:], tail}, nil))}
	page.gzip = []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")                               // the header of RFC 1952: deflate, and nothing is known of a file
	for _, part := range [][]byte{c.pack(head), made.packed, c.pack(tail), []byte("\x03\x00")} { // the last one is the end, an empty block
		page.gzip = append(page.gzip, part...)
	}
	crc, size := uint32(0), 0
	for _, part := range [][]byte{head, made.raw, tail} {
		crc, size = crc32.Update(crc, crc32.IEEETable, part), size+len(part)
	}
	page.gzip = binary.LittleEndian.AppendUint32(page.gzip, crc)
	page.gzip = binary.LittleEndian.AppendUint32(page.gzip, uint32(size)) //nolint:gosec // modulo 2^32, as RFC 1952 has it
	return page, nil
}

// pack compresses a part of a page: blocks that refer to nothing before them and end at the border of a byte, so that such parts can
// follow each other.
func (c sharing) pack(raw []byte) []byte {
	var packed bytes.Buffer
	w, _ := c.packs.Get().(*flate.Writer)
	if w == nil {
		w, _ = flate.NewWriter(nil, flate.DefaultCompression) // it fails for levels that there are not
	}
	defer c.packs.Put(w)
	w.Reset(&packed)
	_, _ = w.Write(raw) // a buffer takes everything
	_ = w.Flush()
	return packed.Bytes()
}

func (s *shared) send(w http.ResponseWriter, r *http.Request, main []byte) {
	if !tellTag(w, r, s.sum) {
		return
	}
	if !takesGzip(r.Header.Get("Accept-Encoding")) {
		for _, part := range [][]byte{s.head, main, s.tail} {
			_, _ = w.Write(part) // a browser that went away is no concern of ours
		}
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(s.gzip)
}

// takesGzip reads the header Accept-Encoding, but for its preferences.
func takesGzip(accepted string) bool {
	for one := range strings.SplitSeq(accepted, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return strings.Trim(weight, " \tqQ=0.") != "" || weight == ""
		}
	}
	return false
}
