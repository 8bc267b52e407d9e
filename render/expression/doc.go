// Package expression compiles and evaluates CEL with the libraries and bounds that Kubernetes has for its own. In come a text
// and the Scope of variables with their types that it may name; out comes an Expression, or the first mistake with the name
// that was probably meant. An evaluation is deterministic, returns JSON's types and ends within bounds of cost and size.
//
// The package knows no kind of a platform repository.
package expression
