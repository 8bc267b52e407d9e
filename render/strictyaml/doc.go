// Package strictyaml reads YAML files in which nothing may be guessed. In come bytes and a pointer to a Go value, out come the
// decoded value and every Problem at once, each with its line, column, field and remedy.
//
// Scan is the first look at any file: it bounds size, nesting and aliases, and refuses duplicate keys, tags and line breaks that no
// editor shows. Object.Decode converts no type to another and names the field that was probably meant by an unknown one. JSONSchema
// describes the same files for editors.
//
// The package knows no kind of a platform repository and reads no disk.
package strictyaml
