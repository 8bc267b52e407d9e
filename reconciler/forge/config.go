package forge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Kind is the software of a forge.
type Kind string

// The kinds of forges.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
)

// A Config says which repository of which forge is told, and by whom. Its Token prints as stars.
type Config struct {
	Kind       Kind
	API        string // the address of its API
	Repository string // such as acme/platform
	Token      Token
	CA         string // authorities to trust beside the system's, in PEM; may be empty
	Silent     bool   // nothing is written on pull requests: the pipeline does
}

// A Token prints as stars.
type Token string

// String is part of fmt.Stringer.
func (Token) String() string { return "***" }

// GoString is part of fmt.GoStringer.
func (Token) GoString() string { return "***" }

// document is the operator's file.
type document struct {
	Kind       Kind   `yaml:"kind"`
	API        string `yaml:"api"`
	Repository string `yaml:"repository"`
	Token      Token  `yaml:"token"`
	TokenFile  string `yaml:"tokenFile"`
	CAFile     string `yaml:"caFile"`
	Comments   *bool  `yaml:"comments"`
}

// mostFile is how long the operator's file and the files that it names may be.
const mostFile = 1 << 20

// Read reads an operator's file. Platform is the address of the platform repository as HOST[:PORT]/PATH, which stands for
// the fields that the file leaves out; files that the file names are relative to it. Secret, if given, is asked whether a file is kept from
// others. Errors show no value of the file.
func Read(file, platform string, secret func(file string) error) (Config, error) {
	fail := func(format string, args ...any) (Config, error) {
		return Config{}, fmt.Errorf("%s: %w", file, fmt.Errorf(format, args...))
	}
	content, err := readBounded(file, secret)
	if err != nil {
		return Config{}, err
	}
	var d document
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return fail("%sis not of the form {kind, api, repository, token or tokenFile, caFile, comments}", lineOf(err))
	}
	c := Config{Kind: d.Kind, API: d.API, Repository: d.Repository, Token: d.Token, Silent: d.Comments != nil && !*d.Comments}
	if err := c.complete(platform); err != nil {
		return fail("%w", err)
	}
	if (d.Token == "") == (d.TokenFile == "") {
		return fail("token or tokenFile: give one of them")
	}
	if d.TokenFile != "" {
		content, err := readBounded(beside(file, d.TokenFile), secret)
		if err != nil {
			return fail("tokenFile: %w", err)
		}
		if c.Token = Token(strings.TrimSpace(string(content))); c.Token == "" {
			return fail("tokenFile: %s is empty", d.TokenFile)
		}
	}
	if d.CAFile != "" {
		content, err := readBounded(beside(file, d.CAFile), nil)
		if err != nil {
			return fail("caFile: %w", err)
		}
		c.CA = string(content)
	}
	if _, err := newClient(c); err != nil {
		return fail("%w", err)
	}
	return c, nil
}

// complete fills in the fields that the platform's address says, and checks them all.
func (c *Config) complete(platform string) error {
	host, path, _ := strings.Cut(platform, "/")
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	switch {
	case c.Kind != "":
	case name == "github.com":
		c.Kind = GitHub
	case name == "gitlab.com", strings.HasPrefix(name, "gitlab."):
		c.Kind = GitLab
	}
	if c.Kind != GitHub && c.Kind != GitLab {
		return errors.New("kind: say github or gitlab, as the platform's address does not")
	}
	if host == "" && (c.API == "" || c.Repository == "") {
		return errors.New("api and repository: required, as the platform's address names no forge")
	}
	if c.Repository == "" {
		c.Repository = path
	}
	if c.API == "" {
		c.API = apiOf(c.Kind, host)
	}
	if !strings.HasSuffix(c.API, "/") {
		c.API += "/"
	}
	if c.Kind == GitHub && strings.Count(c.Repository, "/") != 1 {
		return fmt.Errorf("repository: %q is not of the form OWNER/NAME", c.Repository)
	}
	return checkAPI(c.API)
}

// apiOf is where a forge's API is by default.
func apiOf(kind Kind, host string) string {
	switch {
	case kind == GitLab:
		return "https://" + host + "/api/v4/"
	case host == "github.com":
		return "https://api.github.com/"
	default:
		return "https://" + host + "/api/v3/"
	}
}

// checkAPI refuses an address to which a token would travel in the clear.
func checkAPI(api string) error {
	u, err := url.Parse(api)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "":
		return errors.New("api: give an address such as https://git.example.com/api/v4")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback():
		return nil
	}
	return errors.New("api: the token would travel in the clear; give an https address")
}

// readBounded reads a file that has to be kept from others where secret says so.
func readBounded(file string, secret func(file string) error) ([]byte, error) {
	if secret != nil {
		if err := secret(file); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err == nil && len(content) > mostFile {
		err = fmt.Errorf("%s: is longer than 1 MiB", file)
	}
	return content, err
}

// beside is a file that another file names.
func beside(file, named string) string {
	if filepath.IsAbs(named) {
		return named
	}
	return filepath.Join(filepath.Dir(file), named)
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// lineOf is the line that an error of the YAML decoder names, without the values that it quotes.
func lineOf(err error) string {
	if line := yamlLine.FindString(err.Error()); line != "" {
		return line + ": "
	}
	return ""
}
