package gitrepo

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Credentials say how to log in to which servers. The zero value has no entry. Secrets in them cannot be printed.
type Credentials struct {
	entries []*credential // pointers, which fmt does not follow where it cannot call String
}

// None says that there is no entry.
func (c Credentials) None() bool { return len(c.entries) == 0 }

// String counts the entries, and shows none.
func (c Credentials) String() string { return fmt.Sprintf("%d git credentials", len(c.entries)) }

// GoString is String: %#v shows no more.
func (c Credentials) GoString() string { return c.String() }

// A secret prints as stars.
type secret string

func (secret) String() string   { return "***" }
func (secret) GoString() string { return "***" }

// A credential is one entry of the file.
type credential struct {
	URL            string `yaml:"url"`
	Username       string `yaml:"username"`
	Password       secret `yaml:"password"`
	Token          secret `yaml:"token"`
	CAFile         string `yaml:"caFile"`
	PrivateKeyFile string `yaml:"privateKeyFile"`
	KnownHostsFile string `yaml:"knownHostsFile"`

	prefix     endpoint
	ca         []byte
	signer     ssh.Signer
	knownHosts ssh.HostKeyCallback
}

// tokenUser is the user name under which a token is sent as password. GitHub, GitLab and Gitea take any.
const tokenUser = "x-access-token"

// ReadCredentials reads a file such as
//
//	credentials:
//	- url: https://git.example.com/acme          # everything at and below this address; the longest match wins
//	  token: glpat-…                             # or username and password; a token may have a username too
//	  caFile: ca.pem                             # optional: trusted beside the system's
//	- url: ssh://git@git.example.com             # or git@git.example.com:acme
//	  privateKeyFile: id_ed25519
//	  knownHostsFile: known_hosts                # required, as ssh-keyscan writes it; check the fingerprints
//
// Files are relative to it. Errors name entries by their number and address, never a value.
func ReadCredentials(file string) (Credentials, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Credentials{}, fmt.Errorf("read git credentials: %w", err)
	}
	var document struct {
		Credentials []*credential `yaml:"credentials"`
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return Credentials{}, fmt.Errorf("%s: %s", file, withoutValues(err))
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Credentials{}, fmt.Errorf("%s: more than one YAML document; put all entries into one list of credentials", file)
	}
	for i, c := range document.Credentials {
		if err := c.load(filepath.Dir(file)); err != nil {
			return Credentials{}, fmt.Errorf("%s: credentials[%d]: %w", file, i, err)
		}
		for j, earlier := range document.Credentials[:i] {
			if earlier.prefix == c.prefix {
				return Credentials{}, fmt.Errorf("%s: credentials[%d]: %s is in credentials[%d] already; keep one", file, i, c.prefix, j)
			}
		}
	}
	return Credentials{document.Credentials}, nil
}

// The replacements in the YAML decoder's errors: they remove Go's types, and the values that it quotes.
var decoderWords = []struct {
	said *regexp.Regexp
	mean string
}{
	{regexp.MustCompile("`[^`]*`?"), "(value not shown)"},
	{regexp.MustCompile(`^yaml: (unmarshal errors:)?\s*`), ""},
	{
		regexp.MustCompile(` in type gitrepo\.credential$`),
		"; known are url, username, password, token, caFile, privateKeyFile and knownHostsFile",
	},
	{regexp.MustCompile(` in type struct.*$`), "; known is credentials"},
	{regexp.MustCompile(` into .*$`), ": not of this form"},
}

func withoutValues(err error) string {
	text := err.Error()
	for _, w := range decoderWords {
		text = w.said.ReplaceAllString(text, w.mean)
	}
	return printable(text)
}

// load checks an entry and reads the files it names.
func (c *credential) load(dir string) (err error) {
	if c == nil || c.URL == "" {
		return errors.New("url: required: the beginning of the addresses that the entry is for")
	}
	if c.prefix, err = parseEndpoint(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	switch c.prefix.scheme {
	case "ssh":
		err = c.loadSSH(dir)
	case "https", "http":
		err = c.loadHTTP(dir)
	default:
		err = errors.New("url: a path needs no credential; give an https or ssh address")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.prefix, err)
	}
	return nil
}

func (c *credential) loadHTTP(dir string) error {
	switch {
	case c.PrivateKeyFile != "" || c.KnownHostsFile != "":
		return errors.New("privateKeyFile and knownHostsFile are for ssh addresses")
	case c.Token != "" && c.Password != "":
		return errors.New("token and password are both set; keep one")
	case c.Token != "":
		c.Username, c.Password = cmp.Or(c.Username, tokenUser), c.Token
	case (c.Username == "") != (c.Password == ""):
		return errors.New("username and password go together")
	case c.Password == "" && c.CAFile == "":
		return errors.New("nothing to log in with; set token, or username and password")
	}
	if c.CAFile == "" {
		return nil
	}
	var err error
	if c.ca, err = os.ReadFile(within(dir, c.CAFile)); err != nil {
		return fmt.Errorf("caFile: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(c.ca) {
		return fmt.Errorf("caFile: %s has no certificate in PEM form", c.CAFile)
	}
	return nil
}

func (c *credential) loadSSH(dir string) error {
	switch {
	case c.Token != "" || c.Password != "" || c.Username != "" || c.CAFile != "":
		return errors.New("token, username, password and caFile are for https addresses; set privateKeyFile and knownHostsFile")
	case c.PrivateKeyFile == "":
		return errors.New("privateKeyFile: required for ssh")
	case c.KnownHostsFile == "":
		return errors.New("knownHostsFile: required for ssh; write it with ssh-keyscan and check the fingerprints")
	}
	pem, err := os.ReadFile(within(dir, c.PrivateKeyFile))
	if err != nil {
		return fmt.Errorf("privateKeyFile: %w", err)
	}
	c.signer, err = ssh.ParsePrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return fmt.Errorf("privateKeyFile: %s has a passphrase, which nobody is there to type; use a key without one",
			c.PrivateKeyFile)
	}
	if err != nil {
		return fmt.Errorf("privateKeyFile: %s holds no private key: %w", c.PrivateKeyFile, err)
	}
	c.KnownHostsFile = within(dir, c.KnownHostsFile)
	if c.knownHosts, err = knownhosts.New(c.KnownHostsFile); err != nil {
		return fmt.Errorf("knownHostsFile: %w", err)
	}
	return nil
}

func within(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// find returns the entry for an address: the one with the longest path that matches, or an empty one.
func (c Credentials) find(e endpoint) *credential {
	found := &credential{}
	for _, entry := range c.entries {
		better := found.URL == "" || entry.prefix.longer(found.prefix)
		if better && e.under(entry.prefix) {
			found = entry
		}
	}
	return found
}
