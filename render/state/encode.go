package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unique"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/keyorder"
	"transom.dev/render/platform"
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

// WritesAs reports whether Encode writes the same for another Release. The bytes follow from the record's JSON, which is
// compared at a fraction of the cost. Texts are valid UTF-8, as all that are read from files and clusters.
func (r *Release) WritesAs(o *Release) bool {
	ours, err := json.Marshal(r)
	if err != nil || r.Key != o.Key {
		return false
	}
	theirs, err := json.Marshal(o)
	return err == nil && bytes.Equal(ours, theirs)
}

// Encode writes the record as YAML: the same bytes for the same Fleet.
func (f *Fleet) Encode() []byte {
	return encode("Fleet", map[string]string{"name": "fleet"}, f)
}

func encode(kind string, metadata map[string]string, spec any) []byte {
	plain, err := generic(record{platform.APIVersion, kind, metadata, spec})
	if err == nil {
		var out []byte
		if out, err = keyorder.Marshal(plain.(map[string]any)); err == nil {
			return out
		}
	}
	// Records are plain data that came from YAML or from CEL's JSON types.
	panic(fmt.Sprintf("encode %s: %v", kind, err))
}

// generic takes a value through JSON, as sigs.k8s.io/yaml does, which reads that with a YAML parser at ten times the cost.
func generic(v any) (out any, err error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		return nil, err
	}
	return numbered(out), nil
}

// numbered makes each number the integer that it is, or else a float.
func numbered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = numbered(value)
		}
	case []any:
		for i, value := range v {
			v[i] = numbered(value)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := v.Float64(); err == nil {
			return n
		}
		return v.String()
	}
	return v
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
	if err := platform.DecodeRecord("Release", data, &o); err != nil {
		return nil, err
	}
	o.Spec.Key = platform.RequestKey{Team: o.Metadata.Team, Name: o.Metadata.Name}
	for cluster, p := range o.Spec.Clusters {
		o.Spec.Clusters[cluster] = p.shared()
	}
	return &o.Spec, nil
}

// shared is the placement with the texts that many clusters have alike, which are then in memory once for all that are decoded before the
// next collection of garbage.
func (p Placement) shared() Placement {
	for _, text := range []*string{&p.Revision, &p.RenderKey, &p.Namespace, &p.Renderer, &p.Selectors, &p.Release, &p.Version, &p.Anew, &p.ValueKey, &p.UrgentKey} {
		if *text != "" {
			*text = unique.Make(*text).Value()
		}
	}
	return p
}

// DecodeFleet reads fleet.yaml as strictly as a person's file. A file of a newer format is refused by that name, whatever
// else is new in it.
func DecodeFleet(data []byte) (*Fleet, error) {
	var header struct {
		Spec struct {
			Format int `yaml:"format"`
		} `yaml:"spec"`
	}
	if yaml.Unmarshal(data, &header) == nil && header.Spec.Format > Format {
		return nil, fmt.Errorf("the state repository has format %d, and this Transom reads formats up to %d: "+
			"run the newer Transom that wrote it", header.Spec.Format, Format)
	}
	var o struct {
		APIVersion string `json:"apiVersion" decode:"required"`
		Kind       string `decode:"required"`
		Metadata   struct {
			Name string `decode:"required"`
		} `decode:"required"`
		Spec Fleet `decode:"required"`
	}
	if err := platform.DecodeRecord("Fleet", data, &o); err != nil {
		return nil, err
	}
	return &o.Spec, nil
}
