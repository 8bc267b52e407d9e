// Package schema checks values against schemas in the dialect of a CustomResourceDefinition's openAPIV3Schema: structural, with defaults
// and x-kubernetes-validations. In come a schema and values of JSON's types; out come values with their defaults, and every Mistake
// at once, in the words of an API server made plain.
//
// A Schema is that of a version's parameters (Compile), which Transom itself checks requests against, or that of a custom resource
// (CompileCustom), which an API server checks objects against. Narrowed compares two of them. The package knows no request and no file.
package schema
