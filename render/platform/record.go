package platform

import (
	"fmt"
	"strings"
)

// DecodeRecord reads a record of a state repository into out as strictly as a person's file.
func DecodeRecord(kind string, data []byte, out any) error {
	d := &document{path: kind}
	d.parse(data)
	if d.object != nil && d.checkHeader(kind) {
		d.addFrom(d.object.Decode(out))
	}
	if len(d.problems) == 0 {
		return nil
	}
	lines := make([]string, len(d.problems))
	for i, p := range d.problems {
		lines[i] = p.String()
	}
	return fmt.Errorf("decode %s", strings.Join(lines, "; "))
}
