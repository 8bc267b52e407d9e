// Command transom is Transom on the command line: the daemon, and the commands of authors and operators.
//
// In come flags, out goes an exit code: 0 when all is well, 1 for an error or for Problems, and 2 where --exit-code was
// given and something would change. There is a file per command. A command either works on a directory by itself
// (check, render, plan, and the authors' catalog, usage, diff, new, set and export), writes a decision that a person
// merges (promote, hold, pin, rollback), asks a running daemon (status, explain), or reads the history of the repositories
// themselves (history, verify, and explain where no daemon answers); serve is the daemon and wires its concrete
// parts.
//
// Code that is more than a command is in internal, a package for each: workspace loads platforms, remote and client find
// repositories and the daemon; plan, audit and schema compute; tree and terminal print; yamledit edits; demo shows it all.
package main
