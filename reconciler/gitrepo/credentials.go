package gitrepo

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Credentials say how to log in to which servers. The zero value has no entry. Copies of one are the same: Refresh is for all of
// them. Secrets in them cannot be printed.
type Credentials struct {
	file *credentialsFile // nil: no entry; a pointer, which fmt does not follow where it cannot call String
}

// A credentialsFile is a file of credentials as it was last without a mistake.
type credentialsFile struct {
	name string
	read atomic.Pointer[credentialEntries]
}

// credentialEntries are the entries of one reading. They do not change.
type credentialEntries struct {
	entries []*credential
	digest  [sha256.Size]byte // of the file, and of those that it names
}

// current are the entries of now; nil: there is no file.
func (c Credentials) current() *credentialEntries {
	if c.file == nil {
		return nil
	}
	return c.file.read.Load()
}

// None says that there is no entry.
func (c Credentials) None() bool { return c.current() == nil || len(c.current().entries) == 0 }

// String counts the entries, and shows none.
func (c Credentials) String() string {
	n := 0
	if now := c.current(); now != nil {
		n = len(now.entries)
	}
	return fmt.Sprintf("%d git credentials", n)
}

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
	read, err := readEntries(file)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{&credentialsFile{name: file}}
	c.file.read.Store(read)
	return c, nil
}

// Refresh reads the file and those that it names again, and says whether any of them changed. Each conversation with a server that
// begins afterwards logs in with the new ones. A file with a mistake changes nothing.
func (c Credentials) Refresh() (changed bool, err error) {
	if c.file == nil {
		return false, nil
	}
	read, err := readEntries(c.file.name)
	if err != nil || read.digest == c.current().digest {
		return false, err
	}
	if read.entries == nil && !c.None() { // as while an editor writes it
		return false, fmt.Errorf("%s: has no list of credentials; to log in nowhere, write credentials: []", c.file.name)
	}
	c.file.read.Store(read)
	return true, nil
}

func readEntries(file string) (*credentialEntries, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read git credentials: %w", err)
	}
	var document struct {
		Credentials []*credential `yaml:"credentials"`
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", file, withoutValues(err))
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one YAML document; put all entries into one list of credentials", file)
	}
	digest := sha256.New()
	_, _ = digest.Write(content) // never fails
	for i, c := range document.Credentials {
		if err := c.load(filepath.Dir(file), digest); err != nil {
			return nil, fmt.Errorf("%s: credentials[%d]: %w", file, i, err)
		}
		for j, earlier := range document.Credentials[:i] {
			if earlier.prefix == c.prefix {
				return nil, fmt.Errorf("%s: credentials[%d]: %s is in credentials[%d] already; keep one", file, i, c.prefix, j)
			}
		}
	}
	return &credentialEntries{document.Credentials, [sha256.Size]byte(digest.Sum(nil))}, nil
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
	{regexp.MustCompile(` into .*$`), ": not of this form, which is credentials: [{url: …, token: …}]"},
}

func withoutValues(err error) string {
	text := err.Error()
	for _, w := range decoderWords {
		text = w.said.ReplaceAllString(text, w.mean)
	}
	return printable(text)
}

// load checks an entry and reads the files it names, whose contents it writes to digest, too.
func (c *credential) load(dir string, digest io.Writer) (err error) {
	if c == nil || c.URL == "" {
		return errors.New("url: required: the beginning of the addresses that the entry is for")
	}
	if c.prefix, err = parseEndpoint(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	switch c.prefix.scheme {
	case "ssh":
		err = c.loadSSH(dir, digest)
	case "https", "http":
		err = c.loadHTTP(dir, digest)
	default:
		err = errors.New("url: a path needs no credential; give an https or ssh address")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.prefix, err)
	}
	return nil
}

func (c *credential) loadHTTP(dir string, digest io.Writer) error {
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
	_, _ = digest.Write(c.ca) // never fails
	if !x509.NewCertPool().AppendCertsFromPEM(c.ca) {
		return fmt.Errorf("caFile: %s has no certificate in PEM form", c.CAFile)
	}
	return nil
}

func (c *credential) loadSSH(dir string, digest io.Writer) error {
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
	hosts, err := os.ReadFile(c.KnownHostsFile)
	if err != nil {
		return fmt.Errorf("knownHostsFile: %w", err)
	}
	_, _ = digest.Write(append(pem, hosts...)) // never fails
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
func (c *credentialEntries) find(e endpoint) *credential {
	found := &credential{}
	if c == nil {
		return found
	}
	for _, entry := range c.entries {
		better := found.URL == "" || entry.prefix.longer(found.prefix)
		if better && e.under(entry.prefix) {
			found = entry
		}
	}
	return found
}
