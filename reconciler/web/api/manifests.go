package api

// Manifest is an object of a placement as YAML. The values of a Secret are hidden.
type Manifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Manifest   string `json:"manifest"`
}

// Comparison is a placement beside another state of it.
type Comparison struct {
	From    string   `json:"from"` // what it is compared with, in words
	To      string   `json:"to"`
	Changes []Change `json:"changes"` // from the first to the second, object by object
}

// Change is one object that differs.
type Change struct {
	APIVersion string   `json:"apiVersion,omitempty"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace,omitempty"`
	Name       string   `json:"name"`
	Action     string   `json:"action"`              // added, changed, replaced or removed
	Immutable  []string `json:"immutable,omitempty"` // of an object that is replaced: the fields that cannot change in place
	Diff       string   `json:"diff,omitempty"`      // lines that begin with '-', '+' or ' ', and "@@" between distant ones
}
