package access

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The bounds of the file of access.
const (
	mostBytes   = 1 << 20
	mostEntries = 1000
	mostGrants  = 1000
)

// The lifetime of a session.
const (
	usualSession   = 8 * time.Hour
	longestSession = 24 * time.Hour
)

// settings are the content of the file of access, and of the files that it names:
//
//	tokens:                                  # transom token NAME prints an entry
//	- {name: pipeline, role: developer, team: payments, sha256: 9f86d0…}
//	kubernetes:                              # tokens of ServiceAccounts of the cluster that the daemon runs in
//	  audience: transom                      # as in kubectl create token NAME --audience transom
//	  roles:
//	  - {user: 'system:serviceaccount:payments:deployer', role: developer, team: payments}
//	oidc:                                    # people, in a browser
//	  issuer: https://login.acme.example
//	  clientID: transom
//	  clientSecretFile: client-secret        # omitted: a public client
//	  url: https://transom.acme.example      # of the console; the issuer sends people back to its /login/callback
//	  caFile: ca.pem                         # omitted: the system's
//	  scopes: [groups]                       # beside openid, profile and email
//	  groupsClaim: groups
//	  roles:
//	  - {group: platform, role: operator}
//	  - {group: '*', role: viewer}           # everybody who can log in
//	session: {keyFile: session-keys, lifetime: 8h}
//
// Files are relative to it. A session key is 32 bytes in base64, one a line: the first one seals, all open. Without keyFile the
// daemon makes a key when it starts, so that everybody logs in again after a restart.
type settings struct {
	Tokens     []*tokenEntry `yaml:"tokens"`
	Kubernetes *kubernetes   `yaml:"kubernetes"`
	OIDC       *issuer       `yaml:"oidc"`
	Session    struct {
		KeyFile  string        `yaml:"keyFile"`
		Lifetime time.Duration `yaml:"lifetime"`

		keys [][]byte
	} `yaml:"session"`
}

// kubernetes says which tokens of the cluster are asked about, and which roles their users have.
type kubernetes struct {
	Audience string  `yaml:"audience"`
	Roles    []grant `yaml:"roles"`
}

// An issuer is who vouches for people.
type issuer struct {
	Issuer           string   `yaml:"issuer"`
	ClientID         string   `yaml:"clientID"`
	ClientSecretFile string   `yaml:"clientSecretFile"`
	URL              string   `yaml:"url"`
	CAFile           string   `yaml:"caFile"`
	Scopes           []string `yaml:"scopes"`
	GroupsClaim      string   `yaml:"groupsClaim"`
	Roles            []grant  `yaml:"roles"`

	secret string
	ca     []byte
}

// typeNames are the parts of YAML errors that mean nothing to people.
var typeNames = regexp.MustCompile(`unmarshal errors:\s*| in type access\.\w+`)

// readSettings reads the file of access. Secrets are read by secret, which refuses files that others can read.
func readSettings(file string, secret func(file string) ([]byte, error)) (*settings, error) {
	content, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("read the file of access: %w", err)
	}
	s := &settings{}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s; \"transom help operator\" has the form of the file, under \"Who may ask\"", file,
			typeNames.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), ""))
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one YAML document; write one", file)
	}
	if err := s.load(filepath.Dir(file), secret); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err == nil && len(content) > mostBytes {
		err = fmt.Errorf("%s: longer than 1 MiB", file)
	}
	return content, err
}

// load checks the settings and reads the files that they name, which are relative to a directory.
func (s *settings) load(dir string, secret func(file string) ([]byte, error)) error {
	at := func(file string) string {
		if filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(dir, file)
	}
	if err := s.loadTokens(); err != nil {
		return err
	}
	if k := s.Kubernetes; k != nil {
		if k.Audience == "" {
			return errors.New("kubernetes.audience is missing: tokens that were made for the cluster itself are not to be sent here")
		}
		if err := checkGrants("kubernetes", k.Roles); err != nil {
			return err
		}
	}
	if s.OIDC != nil {
		if err := s.OIDC.load(at, secret); err != nil {
			return fmt.Errorf("oidc.%w", err)
		}
	}
	if s.Session.Lifetime < 0 || s.Session.Lifetime > longestSession {
		return fmt.Errorf("session.lifetime: give at most %s", longestSession)
	}
	s.Session.Lifetime = cmp.Or(s.Session.Lifetime, usualSession)
	if s.Session.KeyFile == "" {
		return nil
	}
	lines, err := secret(at(s.Session.KeyFile))
	if err != nil {
		return fmt.Errorf("session.keyFile: %w", err)
	}
	for line := range strings.Lines(strings.TrimSpace(string(lines))) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil || len(key) != keyBytes {
			return errors.New("session.keyFile: each line is 32 bytes in base64, as \"openssl rand -base64 32\" makes them")
		}
		s.Session.keys = append(s.Session.keys, key)
	}
	if len(s.Session.keys) == 0 {
		return errors.New("session.keyFile has no key; \"openssl rand -base64 32\" makes one")
	}
	return nil
}

func (s *settings) loadTokens() error {
	if len(s.Tokens) > mostEntries {
		return fmt.Errorf("tokens: %d are more than %d", len(s.Tokens), mostEntries)
	}
	for i, h := range s.Tokens {
		if h == nil {
			return fmt.Errorf("tokens[%d] is empty", i)
		}
		if err := h.check(); err != nil {
			return fmt.Errorf("tokens[%d] %q: %w", i, h.Name, err)
		}
		if slices.ContainsFunc(s.Tokens[:i], func(o *tokenEntry) bool { return o.Name == h.Name || o.digest == h.digest }) {
			return fmt.Errorf("tokens[%d] %q: an entry before it has this name or token", i, h.Name)
		}
	}
	return nil
}

func checkGrants(in string, grants []grant) error {
	if len(grants) > mostGrants {
		return fmt.Errorf("%s.roles: %d are more than %d", in, len(grants), mostGrants)
	}
	for i, g := range grants {
		if err := g.check(); err != nil {
			return fmt.Errorf("%s.roles[%d]: %w", in, i, err)
		}
	}
	return nil
}

func (o *issuer) load(at func(string) string, secret func(file string) ([]byte, error)) error {
	if o.ClientID == "" {
		return errors.New("clientID is missing: the issuer gave one to this console")
	}
	if err := checkURL(o.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if err := checkURL(o.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	o.GroupsClaim = cmp.Or(o.GroupsClaim, "groups")
	if err := checkGrants("oidc", o.Roles); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "oidc."))
	}
	if o.ClientSecretFile != "" {
		text, err := secret(at(o.ClientSecretFile))
		if err != nil {
			return fmt.Errorf("clientSecretFile: %w", err)
		}
		o.secret = strings.TrimSpace(string(text))
	}
	if o.CAFile != "" {
		var err error
		if o.ca, err = readBounded(at(o.CAFile)); err != nil {
			return fmt.Errorf("caFile: %w", err)
		}
	}
	return nil
}

// checkURL wants https, and takes http from this machine to itself.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%.200q: give a URL such as https://login.acme.example", text)
	}
	local := u.Scheme == "http" && loopback(u.Hostname())
	if u.Scheme != "https" && !local {
		return fmt.Errorf("%.200q: it has to be https, as passwords and tokens go there", text)
	}
	return nil
}
