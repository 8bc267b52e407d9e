package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
)

func newExport() *cobra.Command {
	return group(&cobra.Command{
		Use:     "export",
		Short:   "Write what other tools need to know of a platform",
		Example: `  transom export jsonschema`,
	}, newExportJSONSchema())
}

// schemasDir is the directory of a platform repository for its schemas; its dot keeps them out of the platform.
const schemasDir = ".schemas"

func newExportJSONSchema() *cobra.Command {
	var o struct {
		output output
		out    string
	}
	cmd := &cobra.Command{
		Use:   "jsonschema [DIR]",
		Short: "Write JSON Schemas, so that editors complete and check files",
		Long: `Write a JSON Schema (draft 7) for each kind of a platform repository, and one per offering for the requests for it.
request.json knows the platform's offerings and environments, and the parameters of each offering.

Editors with yaml-language-server (VS Code's YAML extension, Neovim, Helix, JetBrains by its own settings) find them by
their settings, for example in .vscode/settings.json:

  {"yaml.schemas": {
    ".schemas/request.json": ["requests/*/*.yaml", "!requests/*/*.secret.yaml"],
    ".schemas/offering.json": "offerings/*/offering.yaml",
    ".schemas/version.json": "offerings/*/*/version.yaml",
    ".schemas/environment.json": "environments/*.yaml",
    ".schemas/cluster.json": "clusters/*.yaml",
    ".schemas/policy.json": "policies/*.yaml",
    ".schemas/notification.json": "notifications/*.yaml",
    ".schemas/decision.json": "decisions/*/*.yaml"
  }}

or by the first line of a file:

  # yaml-language-server: $schema=../../.schemas/request-postgres.json

A schema says less than check does: it knows no CEL rules, no policies, and not which version a request gets.`,
		Example: `  transom export jsonschema
  transom export jsonschema ./platform --out /tmp/schemas`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := workspace.Load(directory(args))
			if err != nil {
				return err
			}
			out := o.out
			if out == "" {
				out = filepath.Join(directory(args), schemasDir)
			}
			names, err := writeSchemas(out, schema.Files(p))
			if err != nil {
				return err
			}
			result := map[string]any{"directory": out, "files": names}
			return o.output.print(cmd.OutOrStdout(), result, func(w io.Writer) {
				fmt.Fprintf(w, "wrote %s to %s; \"transom export jsonschema --help\" says how editors find them\n", terminal.Count(len(names), "schema"), out)
			})
		},
	}
	o.output.flag(cmd)
	cmd.Flags().StringVar(&o.out, "out", "", "the directory to write to (default DIR/"+schemasDir+")")
	return cmd
}

// writeSchemas writes schemas, and removes the schemas of offerings that are gone.
func writeSchemas(dir string, all map[string]map[string]any) (names []string, err error) {
	old, err := filepath.Glob(filepath.Join(dir, "request-*.json"))
	if err != nil {
		return nil, fmt.Errorf("look for schemas in %s: %w", dir, err)
	}
	for _, file := range old {
		if all[filepath.Base(file)] == nil {
			if err := os.Remove(file); err != nil {
				return nil, fmt.Errorf("remove an old schema: %w", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		data, err := json.MarshalIndent(all[name], "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if err := workspace.WriteFile(filepath.Join(dir, name), append(data, '\n')); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
