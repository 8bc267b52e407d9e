package notify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"go.yaml.in/yaml/v3"
)

// Targets are who can be told, by name.
type Targets map[string]Target

// A Target is one address of the operator's.
type Target struct {
	Name    string `yaml:"name"`
	URL     string `yaml:"url"`     // of a chat or a mailbox, as shoutrrr writes it; it has the secret
	Webhook string `yaml:"webhook"` // instead of that: of a program that takes signed messages
	Secret  string `yaml:"secret"`  // that those are signed with
}

const (
	mostTargets = 100
	leastSecret = 16 // characters
)

var targetName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// ReadTargets reads the operator's file. Its errors name targets, and no address.
func ReadTargets(content []byte) (Targets, error) {
	var file struct {
		Targets []Target `yaml:"targets"`
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New("is not as it has to be: a list targets, each with name and url, or name, webhook and secret") // the error may quote a secret
	}
	if len(file.Targets) > mostTargets {
		return nil, fmt.Errorf("has %d targets and may have %d", len(file.Targets), mostTargets)
	}
	all := Targets{}
	for i, t := range file.Targets {
		switch _, twice := all[t.Name]; {
		case !targetName.MatchString(t.Name):
			return nil, fmt.Errorf("targets[%d].name: must be letters, digits, dots and dashes, such as payments-chat", i)
		case twice:
			return nil, fmt.Errorf("targets[%d].name: there are two targets %s", i, t.Name)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		all[t.Name] = t
	}
	return all, nil
}

// Names are the names of targets, sorted.
func (all Targets) Names() []string { return slices.Sorted(maps.Keys(all)) }

func (t Target) check() error {
	switch {
	case (t.URL == "") == (t.Webhook == ""):
		return errors.New("give a url, as shoutrrr has it, or a webhook with its secret")
	case t.Webhook != "":
		at, err := url.Parse(t.Webhook)
		switch {
		case err != nil, at.Host == "", at.Scheme != "https" && at.Scheme != "http":
			return errors.New("webhook: must be an address such as https://alerts.example.com/transom")
		case len(t.Secret) < leastSecret:
			return fmt.Errorf("secret: must have %d characters and more; \"openssl rand -hex 32\" makes one", leastSecret)
		}
		return nil
	case t.Secret != "":
		return errors.New("secret: only a webhook has one; that of a chat is in its url")
	}
	if _, err := new(router.ServiceRouter).Locate(t.URL); err != nil {
		return errors.New("url: is none that shoutrrr knows, " + t.redact(err))
	}
	return nil
}

// mostReason bounds the reason of a failure, which parties outside have written.
const mostReason = 300

// redact is the text of an error without the target's secrets, which libraries quote in their errors.
func (t Target) redact(err error) string {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // it begins with the whole address
	}
	text := err.Error()
	for _, secret := range t.secrets() {
		text = replaceAll(text, secret)
	}
	return shortened(plain(text), mostReason)
}
