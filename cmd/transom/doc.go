// Command transom is Transom on the command line: the daemon, and the commands of authors and operators.
//
// In come flags, out goes an exit code: 0 when all is well, 1 for an error or for Problems, and 2 where --exit-code was
// given and something would change. A command either works on a directory by itself (check, render, plan, and the
// authors' catalog, usage, diff, new, set and export), writes a decision that a person merges (promote, hold, pin,
// rollback), asks a running daemon (status, explain), or reads the history of the repositories themselves (history, verify,
// and explain where no daemon answers); serve is the daemon and wires its concrete parts.
//
// A file belongs to the command whose name its own begins with: it declares flags, calls, and prints. The other files have
// what several commands use, and no command uses anything of another one:
//
//	command   exit codes, and errors about command lines
//	output    -o, and Problems on stderr
//	flags     directories, states and credentials, with completion
//	daemon    the daemon's address, and names that it does not know
//	records   the state repository of an environment, and recorded, the releases that it names
//	decide    decisions: their files, checks and next steps; decidepin, those that pin
//	scaffold  files that are added to a platform
//	build     the facts of this binary
//
// Computations are in internal, a package for each: workspace loads platforms and states reads what environments run; remote and
// client find repositories and the daemon; plan, catalog, usage, diff, skew, audit and schema compute; tree and terminal
// print; yamledit edits; installation makes the manifests of an installation; demo shows it all.
package main
