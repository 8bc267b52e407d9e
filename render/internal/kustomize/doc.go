// Package kustomize is the only door to Kustomize.
//
// In goes a Wrapper: the inputs of one instance, the files of a version and of an environment's overlays, and the prefix,
// namespace and labels that every object gets. Out come the bytes that `kustomize build` prints.
//
// Kustomize by itself fetches URLs, starts git, follows ../, reads keys in any case and can be driven into endless
// recursion by a few bytes of YAML. So nothing reaches it that Guard has not accepted, and it builds on an in-memory
// tree that has nothing else. Mistakes that it would skip in silence are found here too: a Skeleton knows the type of
// every field that a replacement writes and the targets that match nothing.
//
// A Program builds many instances of the same components, with the same bytes at a fraction of the time.
//
// The package reads no disk, opens no connection, starts no process and logs nothing.
package kustomize
