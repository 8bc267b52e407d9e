package main

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCommandsUseSharedHelpersAndNeverOneAnother: a file belongs to the command whose name its own begins with, and the files
// of one command use nothing that another's declare. Files of no command have what several commands use, and use nothing
// of a command. Only main.go, which makes the tree of commands, knows them all.
func TestCommandsUseSharedHelpersAndNeverOneAnother(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var commands []string
	for _, cmd := range newRoot().Commands() {
		commands = append(commands, cmd.Name())
	}
	owner := func(file string) string {
		for _, command := range commands {
			if strings.HasPrefix(file, command) {
				return command
			}
		}
		return ""
	}
	uses, declared := map[string][]string{}, map[string]string{}
	for _, name := range names {
		if name == "main.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for declaration := range file.Scope.Objects {
			declared[declaration] = name
		}
		for _, used := range file.Unresolved { // in this file: names of the package, of imports, and of Go
			uses[name] = append(uses[name], used.Name)
		}
	}
	for name, used := range uses {
		for _, other := range used {
			of := owner(declared[other])
			require.True(t, of == "" || of == owner(name), "%s uses %s of %s: what several commands use has a file of its own", name, other, declared[other])
		}
	}
	require.True(t, slices.Contains(uses["catalog.go"], "output"), "uses are found")
}
