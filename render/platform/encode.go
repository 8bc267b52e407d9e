package platform

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// record is the shape of the files that Transom writes into state repositories.
type record struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       any               `json:"spec"`
}

// Encode writes the record as YAML: the same bytes for the same Release.
func (r *Release) Encode() []byte {
	return encode("Release", map[string]string{"name": r.Key.Name, "team": r.Key.Team}, r)
}

// Encode writes the record as YAML: the same bytes for the same Fleet.
func (f *Fleet) Encode() []byte {
	return encode("Fleet", map[string]string{"name": "fleet"}, f)
}

func encode(kind string, metadata map[string]string, spec any) []byte {
	out, err := yaml.Marshal(record{APIVersion, kind, metadata, spec})
	if err != nil {
		// Records are plain data that came from YAML or from CEL's JSON types.
		panic(fmt.Sprintf("encode %s: %v", kind, err))
	}
	return out
}

// DecodeRelease reads a Release file as strictly as a person's file.
func DecodeRelease(data []byte) (*Release, error) {
	var o struct {
		APIVersion string `json:"apiVersion" decode:"required"`
		Kind       string `decode:"required"`
		Metadata   struct {
			Name string `decode:"required"`
			Team string `decode:"required"`
		} `decode:"required"`
		Spec Release `decode:"required"`
	}
	if err := decodeRecord("Release", data, &o); err != nil {
		return nil, err
	}
	o.Spec.Key = RequestKey{Team: o.Metadata.Team, Name: o.Metadata.Name}
	return &o.Spec, nil
}

// DecodeFleet reads fleet.yaml as strictly as a person's file.
func DecodeFleet(data []byte) (*Fleet, error) {
	var o struct {
		APIVersion string `json:"apiVersion" decode:"required"`
		Kind       string `decode:"required"`
		Metadata   struct {
			Name string `decode:"required"`
		} `decode:"required"`
		Spec Fleet `decode:"required"`
	}
	if err := decodeRecord("Fleet", data, &o); err != nil {
		return nil, err
	}
	return &o.Spec, nil
}

func decodeRecord(kind string, data []byte, out any) error {
	d := &document{path: kind}
	d.parse(data)
	if d.root != nil && d.header(kind) {
		d.decode(out)
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
