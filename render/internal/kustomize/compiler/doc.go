// Package compiler builds the instances of one set of components with the bytes of kustomize.Build, at a fraction of the time.
//
// In goes a Wrapper whose trees were accepted by the guard. Compile reads its kustomizations, and a Program runs Kustomize a few times
// on markers instead of the values, sees where the markers go, and fills in values from then on. Where copying is not all that
// Kustomize does with a value, the Program calls kustomize.Build. Whoever calls kustomize.Build instead of a Program gets the
// same bytes, so this package can be deleted.
//
// The package reads no disk, opens no connection, starts no process and logs nothing.
package compiler
