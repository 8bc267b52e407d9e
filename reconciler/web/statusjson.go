package web

import (
	"bytes"
	"encoding/json"
	"hash"
	"io"
	"slices"

	"transom.dev/reconciler/status"
)

// mostText is how much of an answer is in memory at once. A status of very many instances has a hundred megabytes: it is encoded once for its
// tag, and once more for the client.
const mostText = 8 << 20

// summed is a text as long as it is not too long, and the sum of all of it.
type summed struct {
	kept bytes.Buffer
	sum  hash.Hash
	long bool
}

// Write implements io.Writer.
func (s *summed) Write(p []byte) (n int, err error) {
	s.sum.Write(p)
	if s.long = s.long || s.kept.Len()+len(p) > mostText; s.long {
		s.kept = bytes.Buffer{}
		return len(p), nil
	}
	return s.kept.Write(p)
}

// writeValue writes v as one line of JSON. The instances of a status are encoded one by one.
func writeValue(to io.Writer, v any) error {
	if s, ok := v.(status.Status); ok && len(s.Instances) > 0 {
		return writeStatus(to, s)
	}
	return json.NewEncoder(to).Encode(v)
}

// writeStatus writes a status that has instances, which are its last field.
func writeStatus(to io.Writer, s status.Status) error {
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
