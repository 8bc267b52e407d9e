package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/sealed"
	"transom.dev/render/wording"
)

// ruleSealed is that of the Problems of files of sealed values.
const ruleSealed = "sealed"

// anyTeamsRecipients is the entry of an environment's recipients for teams without one.
const anyTeamsRecipients = "*"

// sealedFor takes the name of a file in a team's folder, without its extension, apart. A file that means sealed values and does not
// say of which request and environment is of none.
func sealedFor(name string) (request, environment string, is bool) {
	name, is = strings.CutSuffix(name, ".secret")
	if !is {
		return "", "", false
	}
	request, environment, _ = strings.Cut(name, ".")
	return request, environment, true
}

// decodeRecipients reads for whom the secrets of an environment are sealed.
func decodeRecipients(d *document, recipients map[string][]string) map[string][]string {
	for _, team := range sortedKeys(recipients) {
		field := "spec.secrets.recipients." + team
		if team != anyTeamsRecipients && wrongName(team, maxLabel) != "" {
			d.problem(field, "value", "%q is no team; name one, or \"*\" for all others", wording.Shorten(team))
		}
		if d.tooLong(field, len(recipients[team])) {
			continue
		}
		if len(recipients[team]) == 0 {
			d.problem(field, "required", "names no recipient; write one, or remove the entry: then no values are sealed for the team here")
		}
		for i, recipient := range recipients[team] {
			if err := sealed.CheckRecipient(recipient); err != nil {
				d.problem(fieldpath.Index(field, i), "value", "%v", err)
			} else if slices.Index(recipients[team], recipient) < i {
				d.problem(fieldpath.Index(field, i), "value", "is there already; remove it")
			}
		}
	}
	return recipients
}

// RecipientsOf are the age recipients for whom the secrets of a team are sealed; none: the team can have none here.
func (e *Environment) RecipientsOf(team string) []string {
	if own := e.Recipients[team]; len(own) > 0 {
		return own
	}
	return e.Recipients[anyTeamsRecipients]
}

// sealing returns the request's file as one that has these files of sealed values, by environment.
func (f *requestFile) sealing(files map[string]*file) *requestFile {
	if maps.Equal(f.sealed, files) {
		return f
	}
	other := *f
	other.sealed = files
	return &other
}

// readSealed reads the sealed values of a request in an environment; nil: there are none, or they have a Problem.
func (f *requestFile) readSealed(d *document, e *Environment) *sealed.File {
	at := f.sealed[e.Name]
	if at == nil {
		return nil
	}
	k := f.request.Key
	of := func(message string) { d.add(Problem{File: at.path, Rule: ruleSealed, Message: message}) }
	recipients := e.RecipientsOf(k.Team)
	switch {
	case at.opaque:
		of("cannot be read, so that nobody knows the values; commit it as a file")
		return nil
	case len(recipients) == 0:
		of(fmt.Sprintf("there is nobody to seal for: name the age recipients of %s under spec.secrets.recipients in %s", k.Team, e.File))
		return nil
	}
	values, problems := sealed.Read(at.data, sealed.Subject{Team: k.Team, Request: k.Name, Environment: e.Name}, recipients)
	for _, p := range problems {
		d.add(FromYAML(at.path, p))
	}
	return values
}

// sealedOf are the files of sealed values of a request, by environment.
func sealedOf(p *Platform, k RequestKey) map[string]*file {
	if files := p.tree.teams[k.Team]; files != nil {
		return files.sealed[k.Name]
	}
	return nil
}

// SealedSubjects are the subjects of all files of sealed values that belong to something, sorted by path, whether the files are in order or not.
func SealedSubjects(p *Platform) (all []sealed.Subject) {
	for _, team := range sortedKeys(p.teams) {
		files := p.teams[team].files
		for _, request := range sortedKeys(files.sealed) {
			r := p.Request(RequestKey{team, request})
			for _, environment := range sortedKeys(files.sealed[request]) {
				if r == nil || p.Environments[environment] == nil {
					continue
				}
				if _, placed := r.Spec.Environments[environment]; placed {
					all = append(all, sealed.Subject{Team: team, Request: request, Environment: environment})
				}
			}
		}
	}
	for _, environment := range sortedKeys(p.Environments) {
		for name := range p.Environments[environment].PullSecrets {
			if p.tree.pullSecrets[environment][name] != nil {
				all = append(all, p.Environments[environment].pullSecret(name))
			}
		}
	}
	slices.SortFunc(all, func(a, b sealed.Subject) int { return strings.Compare(a.File(), b.File()) })
	return all
}

// strayValues finds files of sealed values that are of no request, or of an environment that it is not in.
func (t *team) strayValues(name string, files *teamFiles) (problems []Problem) {
	requests := hints(len(files.sealed), files.requests)
	for _, request := range sortedKeys(files.sealed) {
		key := RequestKey{name, request}
		r := t.request(request)
		for _, environment := range sortedKeys(files.sealed[request]) {
			p := Problem{File: files.sealed[request][environment].path, Rule: ruleSealed}
			switch {
			case environment == "" || strings.Contains(environment, "."):
				p.Message = "means nothing here: sealed values are in requests/<team>/<request>.<environment>.secret.yaml; rename it"
			case r == nil:
				p.Message = fmt.Sprintf("there is no request %s; delete the file, or rename it after its request%s", key, requests.suggest(request))
			default:
				_, placed := r.Spec.Environments[environment]
				if placed || r.Broken && len(r.Spec.Environments) == 0 {
					continue
				}
				p.Request = &key
				p.Message = fmt.Sprintf("request %s is not in %s; delete the file, or rename it after one of %s",
					key, wording.Shorten(environment), wording.List(sortedKeys(r.Spec.Environments)))
			}
			problems = append(problems, p)
		}
	}
	return problems
}
