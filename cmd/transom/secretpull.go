package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
	"transom.dev/render/wording"
)

// setPullSecret seals the logins of an image pull secret.
func (o *secretOptions) setPullSecret(cmd *cobra.Command, name string) (*sealing, error) {
	p, err := o.in.load()
	if err != nil {
		return nil, err
	}
	e, err := workspace.EnvironmentNamed(p, o.environment)
	if err != nil {
		return nil, err
	}
	listed := slices.Sorted(maps.Keys(e.PullSecrets))
	if !slices.Contains(listed, name) {
		return nil, fmt.Errorf("%s lists no image pull secret %s; add it to spec.imagePullSecrets in %s first, or write TEAM/REQUEST for the values of a request%s",
			e.Name, wording.Shorten(name), e.File, wording.Suggest(name, listed))
	}
	subject := sealed.Subject{Environment: e.Name, PullSecret: name}
	result := &sealing{File: subject.File(), Set: []string{sealed.PullKey}, Recipients: e.RecipientsOf("")}
	if len(result.Recipients) == 0 {
		return nil, fmt.Errorf("%s names no age recipients of all teams; the operators of the daemon add theirs under spec.secrets.recipients, as \"*\", in %s", e.Name, e.File)
	}
	values := map[string]string{}
	if err := readValues(cmd, result.Set, values); err != nil {
		return nil, err
	}
	logins, err := readLogins(values[sealed.PullKey])
	if err != nil {
		return nil, err
	}
	values[sealed.PullKey] = logins
	return result, o.write(result, subject, values)
}

// readLogins returns the logins of registries that a config.json has, without anything else, or says why it has none. It repeats nothing of
// the text.
func readLogins(text string) (logins string, err error) {
	const remedy = "; nothing was written: give the config.json that \"docker login\" keeps, with auths in it"
	var config struct {
		Auths map[string]struct{ Auth, Username, Password string }
	}
	var whole struct {
		Auths json.RawMessage `json:"auths"`
	}
	if json.Unmarshal([]byte(text), &config) != nil || json.Unmarshal([]byte(text), &whole) != nil {
		return "", errors.New("the value is not the JSON of an image pull secret" + remedy)
	}
	if len(config.Auths) == 0 {
		return "", errors.New("the value has no logins under auths" + remedy)
	}
	for _, registry := range slices.Sorted(maps.Keys(config.Auths)) {
		login := config.Auths[registry]
		if login.Auth == "" && (login.Username == "" || login.Password == "") {
			return "", fmt.Errorf("the login at %s has neither auth nor username and password; a credential helper of this machine may have them%s", wording.Shorten(registry), remedy)
		}
	}
	auths, err := json.Marshal(whole) // which leaves out proxies, headers and helpers: each instance's namespace gets what is sealed
	return string(auths), err
}

// pullSecrets are the image pull secrets of an environment that have a file in order.
func pullSecrets(e *platform.Environment) (all []given) {
	for _, name := range slices.Sorted(maps.Keys(e.PullSecrets)) {
		if e.PullSecrets[name] != nil {
			all = append(all, given{Environment: e.Name, PullSecret: name, Keys: []string{sealed.PullKey}})
		}
	}
	return all
}
