// Package render turns a platform into the state of its environments.
//
// In go a platform.Platform and a Base, the content of an environment's state repository now. Out comes a State: the files
// that change, the Release records after the change, and a Problem for everything that could not be rendered. Package preview
// says the same as objects added, changed and removed, and package golden tests offerings by it; Instance renders a single
// request for people to look at. A Direction replaces the platform's head where promotion chooses the releases of
// an environment, and admits them.
//
// Everything here is pure: values and an fs.FS in, no clock, network, disk, environment, logger or randomness, and
// the same bytes on every machine. Bytes are carried over while their render key stays, so a pass over a platform of any
// size costs in proportion to the changes. A request that has a Problem keeps all it has: nothing is ever removed because it
// could not be read.
//
// A pass has parts that can be read alone, in the order of Renderer.Direct: the snapshot has the inputs, the selection the
// requests that are visited, the builder makes the manifests of one instance, the admission knows the answers of whoever
// directs the pass, collisions refuses two writers of one object, and the writer makes the changed files. sourceOf is the
// seam to where objects come from.
//
// Kustomize itself runs in the workers of package worker, where the binary has them. They end a build that takes too much;
// it says nothing about its instance but that Problem, and is tried again.
package render
