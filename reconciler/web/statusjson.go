package web

import (
	"bytes"
	"encoding/json"
	"hash"
	"io"
	"slices"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
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

// writeValue writes v as one line of JSON. The Problems and the instances of a status are encoded one by one.
func writeValue(to io.Writer, v any) error {
	if s, ok := v.(status.Status); ok && s.Instances != nil {
		return writeStatus(to, s)
	}
	return json.NewEncoder(to).Encode(v)
}

// stands is a Problem that stands for all in a text: none that was found has a control character.
var stands = platform.Problem{File: "\x00"}

// writeStatus writes a status whose Problems and instances, of which a merge may make very many, are lists of any length.
func writeStatus(to io.Writer, s status.Status) error {
	problems, instances := s.Platform.Problems, s.Instances
	if s.Instances = []status.Instance{}; len(problems) > 0 {
		s.Platform.Problems = []platform.Problem{stands}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	text = bytes.TrimSuffix(text, []byte("]}")) // instances are the last field
	if len(problems) > 0 {
		mark, err := json.Marshal(stands)
		if err != nil {
			return err
		}
		before, after, _ := bytes.Cut(text, mark)
		if _, err := to.Write(before); err != nil {
			return err
		}
		if err := writeEach(to, problems); err != nil {
			return err
		}
		text = after
	}
	if _, err := to.Write(text); err != nil {
		return err
	}
	if err := writeEach(to, instances); err != nil {
		return err
	}
	_, err = to.Write([]byte("]}\n"))
	return err
}

// writeEach writes values with commas between them.
func writeEach[T any](to io.Writer, all []T) error {
	for i := range all {
		one, err := json.Marshal(&all[i])
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
	return nil
}
