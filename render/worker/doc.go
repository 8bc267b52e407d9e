// Package worker runs Kustomize and Helm in processes that can be ended.
//
// In goes a kustomize.Job, out come its objects, as if it had run in this process. Kustomize, and a template of Helm, can be driven to work
// without end and to use memory without bound by very little text; Guard refuses all that is known of that, by number.
// An amplifier that the guard does not know meets a limit here: a job runs in a worker, a process of the same binary that is kept for the next
// job. A job that needs more memory or processor time than the limits allow ends its worker and nothing else. It is run
// once more, and when that ends the same way, refused for a while: ten minutes, then twice as long each time, up to a
// day. Nothing of that is on disk, so a restart forgets it.
//
// Whoever renders for people waits for a job (Run). A pass of the daemon does not (Soon): a job that takes long goes on
// beside it, one at a time, and the pass that comes after finds the result.
//
// A worker has an empty environment, no descriptors but three pipes and no way to open more, so that it starts no program
// and opens no connection; where the kernel allows it, it has no network either. On Linux, the kernel enforces the limits
// (RLIMIT_DATA, RLIMIT_CPU). Elsewhere only the garbage collector's limit and the wall clock remain. A worker ends with
// the process that started it, because its standard input does.
//
// Main makes a binary one that has workers. Where it was not called, as in most tests, jobs run in this process.
package worker
