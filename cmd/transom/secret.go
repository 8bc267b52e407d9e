package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
	"transom.dev/render/wording"
)

func newSecret() *cobra.Command {
	return group(&cobra.Command{
		Use:   "secret",
		Short: "Seal the secret values that requests give, list them, and change for whom they are sealed",
		Long: `Seal the secret values that requests give, list them, and change for whom they are sealed. Values lie beside the request, in
requests/TEAM/REQUEST.ENVIRONMENT.secret.yaml: a file of SOPS, sealed for the age recipients that the environment names for the
team. The image pull secrets of an environment lie beside it, in environments/ENVIRONMENT/NAME.secret.yaml. They stay sealed in both repositories, and are opened by the daemon when it writes to a cluster.`,
		Example: `  transom secret set payments/checkout stripe-key -e prod
  transom secret list
  transom secret rekey --dry-run`,
	}, newSecretSet(), newSecretList(), newSecretRekey())
}

// secretOptions are the flags of secret set.
type secretOptions struct {
	output      output
	in          platformDir
	environment string
	identities  []string
}

// A sealing is the result of secret set.
type sealing struct {
	File       string   `json:"file"`
	Keys       []string `json:"keys"` // all that the file has now
	Set        []string `json:"set"`
	Recipients []string `json:"recipients"`
}

func newSecretSet() *cobra.Command {
	var o secretOptions
	cmd := &cobra.Command{
		Use:   "set (TEAM/REQUEST KEY... | IMAGE-PULL-SECRET) -e ENVIRONMENT",
		Short: "Seal values of a request, or logins of registries, for an environment",
		Long: `Seal values of a request for an environment. On a terminal they are asked for one by one, and not shown; otherwise they are read
from standard input: all of it for one KEY, and a line for each of several. Nobody needs a key to seal.

A file has one MAC over all of its values, so those that it has already must be known when one is added: name them all, or give a key
that opens them by --age-identities. Nothing is committed.

A name without a team is that of an image pull secret, which spec.imagePullSecrets of the environment lists: its value is the JSON that
"docker login" keeps in config.json. All logins under "auths" are sealed, and nothing else of it, and every pod of the environment's
instances gets them: give a file with those alone that the pods need, such as one that "docker --config DIR login" makes.`,
		Example: `  transom secret set payments/shop stripe-key -e prod
  transom secret set payments/shop stripe-key smtp-password -e dev
  transom secret set payments/shop tls.key -e prod --age-identities key.txt <tls.key
  transom secret set registry -e prod <config.json`,
		Args: takes(1, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.environment == "" {
				return misuse("transom secret set needs -e: values are sealed for one environment")
			}
			result, err := o.run(cmd, args)
			if err != nil {
				return err
			}
			return o.output.print(cmd.OutOrStdout(), result, result.text)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "the environment that the values are for (required)")
	f.StringSliceVar(&o.identities, "age-identities", nil, "file of age identities that open the values which the file has already (repeatable)")
	o.output.flag(cmd)
	o.in.flag(cmd)
	return cmd
}

func (r *sealing) text(w io.Writer) {
	fmt.Fprintf(w, "sealed %s for %s in %s; commit it and merge it\n", wording.List(r.Set), terminal.Count(len(r.Recipients), "recipient"), r.File)
}

// run seals the values of a request, or the logins of an image pull secret.
func (o *secretOptions) run(cmd *cobra.Command, args []string) (*sealing, error) {
	if !strings.Contains(args[0], "/") {
		if len(args) > 1 {
			return nil, misuse("%s names no team, so that it would be an image pull secret, which has one value and no KEY; write TEAM/REQUEST for the values of a request", args[0])
		}
		return o.setPullSecret(cmd, args[0])
	}
	key, err := platform.ParseRequestKey(args[0])
	if err != nil {
		return nil, usageError{err}
	}
	if len(args) == 1 {
		return nil, misuse("transom secret set needs a KEY of %s", key)
	}
	return o.set(cmd, key, args[1:])
}

// set seals values, with those that the file has already.
func (o *secretOptions) set(cmd *cobra.Command, key platform.RequestKey, names []string) (*sealing, error) {
	recipients, err := o.recipients(key)
	if err != nil {
		return nil, err
	}
	for n, name := range names {
		if err := sealed.CheckKey(name); err != nil {
			return nil, usageError{err}
		}
		if slices.Index(names, name) < n {
			return nil, misuse("%s is named twice", name)
		}
	}
	subject := sealed.Subject{Team: key.Team, Request: key.Name, Environment: o.environment}
	result := &sealing{File: subject.File(), Set: names, Recipients: recipients}
	values, err := o.kept(result.File, subject, names)
	if err != nil {
		return nil, err
	}
	if err := readValues(cmd, names, values); err != nil {
		return nil, err
	}
	return result, o.write(result, subject, values)
}

// write seals values into the file of a result.
func (o *secretOptions) write(result *sealing, subject sealed.Subject, values map[string]string) error {
	data, err := sealed.Seal(subject, result.Recipients, values, time.Now())
	if err != nil {
		return err
	}
	result.Keys = slices.Sorted(maps.Keys(values))
	return workspace.WriteFile(filepath.Join(o.in.dir, filepath.FromSlash(result.File)), data)
}

// recipients are those who may read the secrets of the request's team in the environment.
func (o *secretOptions) recipients(key platform.RequestKey) ([]string, error) {
	p, err := o.in.load()
	if err != nil {
		return nil, err
	}
	e, err := workspace.EnvironmentNamed(p, o.environment)
	if err != nil {
		return nil, err
	}
	request := p.Request(key)
	if request == nil {
		return nil, workspace.NoRequest(p, key)
	}
	if _, placed := request.Spec.Environments[o.environment]; !placed {
		return nil, fmt.Errorf("request %s is not in %s; add it under spec.environments in %s first", key, o.environment, request.File)
	}
	recipients := e.RecipientsOf(key.Team)
	if len(recipients) == 0 {
		return nil, fmt.Errorf("%s names no age recipients for %s; the operators of the daemon add theirs under spec.secrets.recipients in %s", e.Name, key.Team, e.File)
	}
	return recipients, nil
}

// kept are the values that the file has beside those that are set.
func (o *secretOptions) kept(file string, subject sealed.Subject, set []string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(o.in.dir, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(sealed.KeysIn(data), func(name string) bool { return slices.Contains(set, name) })
	if len(others) == 0 {
		return map[string]string{}, nil
	}
	keys, err := readIdentities(o.identities)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, fmt.Errorf("%s has %s, too, which cannot be sealed anew without being known: give all values, "+
			"\"transom secret set %s/%s %s -e %s\", or a key that opens the file by --age-identities", file, wording.List(others),
			subject.Team, subject.Request, strings.Join(slices.Concat(set, others), " "), subject.Environment)
	}
	values, err := keys.Open(data, subject)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	return values, nil
}

// maxSecret bounds all values of a Secret, as Kubernetes does.
const maxSecret = 1 << 20

// readValues reads the values of keys from a terminal, unseen, or from standard input.
func readValues(cmd *cobra.Command, names []string, values map[string]string) error {
	if file, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		for _, name := range names {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", name)
			text, err := term.ReadPassword(int(file.Fd()))
			fmt.Fprintln(cmd.ErrOrStderr())
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			values[name] = string(text)
		}
		return checkValues(names, values)
	}
	data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxSecret+1))
	if err != nil {
		return fmt.Errorf("read the values: %w", err)
	}
	if len(data) > maxSecret {
		return errors.New("standard input has more than 1 MiB, which is all that a Secret can hold")
	}
	text := strings.TrimSuffix(string(data), "\n")
	if len(names) == 1 {
		values[names[0]] = text
		return checkValues(names, values)
	}
	lines := strings.Split(text, "\n")
	if len(lines) != len(names) {
		return fmt.Errorf("standard input has %s for %s: write one for each, in their order; a value of several lines is set alone",
			terminal.Count(len(lines), "line"), terminal.Count(len(names), "key"))
	}
	for n, name := range names {
		values[name] = lines[n]
	}
	return checkValues(names, values)
}

func checkValues(names []string, values map[string]string) error {
	for _, name := range names {
		switch {
		case values[name] == "":
			return fmt.Errorf("the value of %s is empty; nothing was written", name)
		case !utf8.ValidString(values[name]):
			return fmt.Errorf("the value of %s is no text in UTF-8, which is all that is sealed; encode it, such as by base64", name)
		}
	}
	return nil
}
