package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"

	"transom.dev/reconciler/status"
)

// mostKept is how much of an answer is kept in memory until its tag is known. A status of very many instances has a hundred megabytes: it is
// encoded once for the tag, and once more for the client.
const mostKept = 8 << 20

// A body is the bytes of an answer, as long as they are few, and the sum of all of them.
type body struct {
	kept bytes.Buffer
	sum  hash.Hash
	over bool
}

// Write implements io.Writer.
func (b *body) Write(p []byte) (n int, err error) {
	b.sum.Write(p)
	if b.over = b.over || b.kept.Len()+len(p) > mostKept; b.over {
		b.kept = bytes.Buffer{}
		return len(p), nil
	}
	return b.kept.Write(p)
}

// writeJSON answers with v and an ETag over its bytes, so that a client that asks again pays only for changes.
func writeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	b := &body{sum: sha256.New()}
	if err := encode(b, v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if tagged(w, r, b.sum.Sum(nil)) {
		return nil
	}
	if b.over {
		_ = encode(w, v) // a client that went away is no concern of ours
	} else {
		_, _ = w.Write(b.kept.Bytes())
	}
	return nil
}

// writeBody answers with JSON as it is.
func writeBody(w http.ResponseWriter, r *http.Request, content []byte) error {
	if sum := sha256.Sum256(content); !tagged(w, r, sum[:]) {
		_, _ = w.Write(content)
	}
	return nil
}

// tagged begins an answer with the tag of its bytes, and reports whether the client has them already.
func tagged(w http.ResponseWriter, r *http.Request, sum []byte) bool {
	tag := fmt.Sprintf(`"%x"`, sum)
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	return false
}

// encode writes v as one line of JSON. The instances of a status are encoded one by one.
func encode(to io.Writer, v any) error {
	if s, ok := v.(status.Status); ok && len(s.Instances) > 0 {
		return encodeStatus(to, s)
	}
	return json.NewEncoder(to).Encode(v)
}

// encodeStatus writes a status that has instances, which are its last field.
func encodeStatus(to io.Writer, s status.Status) error {
	instances := s.Instances
	s.Instances = []status.Instance{}
	head, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err := to.Write(bytes.TrimSuffix(head, []byte("]}"))); err != nil {
		return err
	}
	for i := range instances {
		one, err := json.Marshal(&instances[i])
		if err != nil {
			return err
		}
		if i > 0 {
			one = slices.Insert(one, 0, ',')
		}
		if _, err := to.Write(one); err != nil {
			return err
		}
	}
	_, err = to.Write([]byte("]}\n"))
	return err
}
