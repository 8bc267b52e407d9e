package platform

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/sealed"
	"transom.dev/render/wording"
)

// pullSecret is the subject of the file of an image pull secret.
func (e *Environment) pullSecret(name string) sealed.Subject {
	return sealed.Subject{Environment: e.Name, PullSecret: name}
}

// seals takes in the file of an image pull secret; false: it is none.
func (t *tree) seals(environment, name string, f *file) bool {
	name, is := strings.CutSuffix(name, ".secret")
	if !is {
		return false
	}
	if t.pullSecrets == nil {
		t.pullSecrets = map[string]map[string]*file{}
	}
	if t.pullSecrets[environment] == nil {
		t.pullSecrets[environment] = map[string]*file{}
	}
	t.pullSecrets[environment][name] = f
	return true
}

// decodePullSecrets reads the names of image pull secrets, and the files that are sealed for them.
func decodePullSecrets(d *document, e *Environment, names []string, files map[string]*file) map[string]*sealed.File {
	all := map[string]*sealed.File{}
	known, asked := hints(len(names), files), hints(len(files), setOf(names))
	for i, name := range names {
		field := fieldpath.Index("spec.imagePullSecrets", i)
		switch wrong := wrongName(name, maxLabel); {
		case wrong != "":
			d.problem(field, "value", "%q %s", wording.Shorten(name), wrong)
		case slices.Index(names, name) < i:
			d.problem(field, "value", "is there already; remove it")
		default:
			all[name] = e.readPullSecret(d, field, name, files, known)
		}
	}
	for _, name := range sortedKeys(files) {
		if !d.full() && !slices.Contains(names, name) {
			d.add(Problem{File: files[name].path, Rule: ruleSealed, Warning: true, Message: fmt.Sprintf(
				"no pod has it: add %s to spec.imagePullSecrets in %s, or delete the file%s", name, e.File, asked.suggest(name))})
		}
	}
	return all
}

// readPullSecret reads the file of an image pull secret; nil: it has a Problem.
func (e *Environment) readPullSecret(d *document, field, name string, files map[string]*file, known hinter) *sealed.File {
	at, subject := files[name], e.pullSecret(name)
	of := func(message string) { d.add(Problem{File: subject.File(), Rule: ruleSealed, Message: message}) }
	recipients := e.RecipientsOf("")
	switch {
	case at == nil:
		if !d.opaque {
			d.problem(field, "path", "there is no %s; seal the logins: transom secret set %s -e %s <config.json%s",
				subject.File(), name, e.Name, known.suggest(name))
		}
		return nil
	case at.opaque:
		of("cannot be read, so that nobody knows the logins; commit it as a file")
		return nil
	case len(recipients) == 0:
		of(fmt.Sprintf("there is nobody to seal for: name the age recipients of all teams, \"*\", under spec.secrets.recipients in %s", e.File))
		return nil
	}
	file, problems := sealed.Read(at.data, subject, recipients)
	for _, p := range problems {
		d.add(FromYAML(at.path, p))
	}
	return file
}

// strayPullSecrets finds files of image pull secrets of environments that there are not.
func strayPullSecrets(t *tree) (problems []Problem) {
	known := hints(len(t.pullSecrets), t.environments)
	for _, environment := range sortedKeys(t.pullSecrets) {
		if t.environments[environment] != nil || t.mayExist("environments/"+environment+".yaml") {
			continue
		}
		hint := known.suggest(environment)
		for _, name := range sortedKeys(t.pullSecrets[environment]) {
			problems = append(problems, Problem{File: t.pullSecrets[environment][name].path, Rule: ruleSealed, Message: fmt.Sprintf(
				"there is no environment %s; delete the file, or move it%s", wording.Shorten(environment), hint)})
		}
	}
	return problems
}
