package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// openSSH runs service on the host of e.
func openSSH(ctx context.Context, dog *watchdog, service string, e endpoint, a *access) (_ *stream, err error) {
	config, err := a.sshConfig(e)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, e.address())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	c, channels, requests, err := ssh.NewClientConn(conn, e.address(), config)
	if err != nil {
		return nil, fmt.Errorf("log in as %s with %s: %w", config.User, a.credential.PrivateKeyFile, err)
	}
	client := ssh.NewClient(c, channels, requests)
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	said := &tail{}
	session.Stderr = said
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := session.Start(service + " " + shellQuoted(e.path)); err != nil {
		return nil, err
	}
	return &stream{cut: func() { _ = client.Close() }, in: dog.writer(in), out: &bounded{Reader: dog.reader(out)}, errors: said, end: func() error {
		// The rest of its output has come once the session has ended.
		waited := session.Wait()
		return errors.Join(waited, client.Close())
	}}, nil
}

// shellQuoted is p as one word for any shell on the other end.
func shellQuoted(p string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(p) + "'"
}

func (a *access) sshConfig(e endpoint) (*ssh.ClientConfig, error) {
	if a.credential.signer == nil {
		return nil, errors.New("no credential for this address; add one with privateKeyFile and knownHostsFile to the " +
			"git credentials file")
	}
	user := e.user
	if user == "" {
		user = "git"
	}
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(a.credential.signer)},
		HostKeyCallback:   a.checkHost,
		HostKeyAlgorithms: a.hostKeyAlgorithms(e),
	}, nil
}

// checkHost accepts the hosts that the known hosts file lists, with the keys that it lists.
func (a *access) checkHost(host string, remote net.Addr, key ssh.PublicKey) error {
	err := a.credential.knownHosts(host, remote, key)
	var mismatch *knownhosts.KeyError
	if !errors.As(err, &mismatch) {
		return err
	}
	file := a.credential.KnownHostsFile
	if len(mismatch.Want) == 0 {
		return fmt.Errorf("host %s is not in %s; its key is %s %s: make sure that this is right, then add the line %q",
			host, file, key.Type(), ssh.FingerprintSHA256(key), knownhosts.Line([]string{knownhosts.Normalize(host)}, key))
	}
	return fmt.Errorf("host %s shows the key %s %s, which is not the one at %s:%d: somebody may be in between; if the "+
		"host was given a new key, correct that line", host, key.Type(), ssh.FingerprintSHA256(key), file, mismatch.Want[0].Line)
}

// hostKeyAlgorithms asks the host for a key of a kind that the known hosts file has. By itself it may show
// another of its keys, which would look like a changed one.
func (a *access) hostKeyAlgorithms(e endpoint) []string {
	var known *knownhosts.KeyError
	if !errors.As(a.credential.knownHosts(e.address(), &net.TCPAddr{}, noKey{}), &known) {
		return nil
	}
	var algorithms []string
	for _, k := range known.Want {
		if k.Key.Type() == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		}
		algorithms = append(algorithms, k.Key.Type())
	}
	return algorithms
}

// noKey is equal to no host's key.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }
