package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

func newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write what other tools need to know of a platform",
		Example: `  transom export jsonschema`,
		Args:    atMost(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExportJSONSchema())
	return cmd
}

// schemasDir is where the schemas of a platform repository lie; its dot keeps them out of the platform.
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
    ".schemas/request.json": "requests/*/*.yaml",
    ".schemas/offering.json": "offerings/*/offering.yaml",
    ".schemas/version.json": "offerings/*/*/version.yaml",
    ".schemas/environment.json": "environments/*.yaml",
    ".schemas/cluster.json": "clusters/*.yaml",
    ".schemas/policy.json": "policies/*.yaml",
    ".schemas/decision.json": "decisions/*/*.yaml"
  }}

or by the first line of a file:

  # yaml-language-server: $schema=../../.schemas/request-postgres.json

A schema says less than check does: it knows no CEL rules, no policies, and not which version a request gets.`,
		Example: `  transom export jsonschema
  transom export jsonschema ./platform --out /tmp/schemas`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := loadTree(directory(args))
			if err != nil {
				return err
			}
			out := o.out
			if out == "" {
				out = filepath.Join(directory(args), schemasDir)
			}
			names, err := writeSchemas(out, schemas(p))
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

// writeSchemas writes schemas and removes those that were written before and are none any more.
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
		if err := writeFile(filepath.Join(dir, name), append(data, '\n')); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// schemas are those of a platform, by file name.
func schemas(p *platform.Platform) map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, kind := range platform.Kinds() {
		all[strings.ToLower(kind)+".json"] = platform.JSONSchema(kind)
	}
	request := all["request.json"]
	decision := map[string]any{
		"$schema": request["$schema"], "title": "Decision", "type": "object", "required": []any{"kind"},
		"properties": map[string]any{"kind": map[string]any{"enum": []any{"Approval", "Hold", "Override", "Pin"}}},
	}
	for _, kind := range []string{"Approval", "Hold", "Override", "Pin"} {
		alternative(decision, map[string]any{"kind": map[string]any{"enum": []any{kind}}}, strings.ToLower(kind)+".json")
	}
	all["decision.json"] = decision
	knowing(request, p)
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		file := "request-" + name + ".json"
		all[file] = requestSchema(p.Offerings[name])
		knowing(all[file], p)
		its := map[string]any{"required": []any{"offering"}, "properties": map[string]any{"offering": map[string]any{"enum": []any{name}}}}
		alternative(request, map[string]any{"spec": its}, file)
	}
	if names := slices.Sorted(maps.Keys(p.Offerings)); len(names) > 0 {
		propertyOf(propertyOf(request, "spec"), "offering")["enum"] = values(names)
	}
	return all
}

// alternative adds to a schema that what has these properties satisfies another one, in a file.
func alternative(schema, properties map[string]any, file string) {
	var required []any
	for name := range properties {
		required = append(required, name)
	}
	all, _ := schema["allOf"].([]any)
	schema["allOf"] = append(all, map[string]any{
		"if":   map[string]any{"required": required, "properties": properties},
		"then": map[string]any{"$ref": file},
	})
}

// knowing tells a schema of requests the platform's environments.
func knowing(schema map[string]any, p *platform.Platform) {
	if names := environments(p); len(names) > 0 {
		propertyOf(propertyOf(schema, "spec"), "environments")["propertyNames"] = map[string]any{"enum": values(names)}
	}
}

func values(names []string) []any {
	all := make([]any, len(names))
	for i, name := range names {
		all[i] = name
	}
	return all
}
