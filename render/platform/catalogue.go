package platform

import (
	"encoding/json"
	"fmt"
)

// OpenAPI returns the schema as a generic OpenAPI v3 object, for people and their tools to read.
func (s *Schema) OpenAPI() map[string]any {
	data, err := json.Marshal(s.structural.ToKubeOpenAPI())
	if err != nil {
		// It came from JSON and was compiled since.
		panic(fmt.Sprintf("write a compiled schema: %v", err))
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		panic(fmt.Sprintf("read a compiled schema: %v", err))
	}
	return out
}

// Match returns the version that a constraint means, as resolving a request does, or nil where none matches. It may
// be Broken.
func (o *Offering) Match(constraint string) *Version {
	v, _ := match(o, constraint)
	return v
}
