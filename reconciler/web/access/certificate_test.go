package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

// pair writes a certificate of its own for this machine, and its key.
func pair(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for file, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: certificate}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600))
	}
}

func TestACertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	pair(t, dir, 1)
	c, err := access.ReadCertificate(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", c.Config())
	require.NoError(t, err)
	server := &http.Server{Handler: http.NotFoundHandler()}
	ended := make(chan error)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	served := func() int64 {
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	refresh := func(change bool) {
		changed, err := c.Refresh()
		require.NoError(t, err)
		require.Equal(t, change, changed)
	}
	require.EqualValues(t, 1, served())
	refresh(false)
	pair(t, dir, 2)
	refresh(true)
	require.EqualValues(t, 2, served())

	other := t.TempDir()
	pair(t, other, 3)
	half, err := os.ReadFile(filepath.Join(other, "tls.crt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), half, 0o600))
	_, err = c.Refresh()
	require.ErrorContains(t, err, "private key does not match public key")
	require.EqualValues(t, 2, served(), "the pair before stays")
	refresh(false)
	pair(t, dir, 4)
	refresh(true)
	require.EqualValues(t, 4, served())
}

// TestAPeerHasTheSameCertificate lets a standby send people's credentials to its leader, and to nobody else.
func TestAPeerHasTheSameCertificate(t *testing.T) {
	dial := func(server, client string) error {
		at, err := access.ReadCertificate(filepath.Join(server, "tls.crt"), filepath.Join(server, "tls.key"))
		require.NoError(t, err)
		listener, err := tls.Listen("tcp", "127.0.0.1:0", at.Config())
		require.NoError(t, err)
		defer func() { _ = listener.Close() }()
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			if conn, err := listener.Accept(); err == nil {
				_ = conn.(*tls.Conn).HandshakeContext(t.Context())
				_ = conn.Close()
			}
		}()
		own, err := access.ReadCertificate(filepath.Join(client, "tls.crt"), filepath.Join(client, "tls.key"))
		require.NoError(t, err)
		conn, err := tls.Dial("tcp", listener.Addr().String(), own.Peer())
		if err == nil {
			err = conn.Close()
		}
		<-accepted
		return err
	}
	ours, theirs := t.TempDir(), t.TempDir()
	pair(t, ours, 1)
	pair(t, theirs, 2)
	require.NoError(t, dial(ours, ours))
	require.ErrorContains(t, dial(theirs, ours), "certificate signed by unknown authority")
}

// TestOnlyTheSameKeyVouches: two replicas make the same text of a client, and nobody with another key does.
func TestOnlyTheSameKeyVouches(t *testing.T) {
	read := func(dir string) *access.Certificate {
		c, err := access.ReadCertificate(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		require.NoError(t, err)
		return c
	}
	ours, theirs := t.TempDir(), t.TempDir()
	pair(t, ours, 1)
	pair(t, theirs, 1)
	word := read(ours).Vouch("198.51.100.1:1")
	require.NotEmpty(t, word)
	require.Equal(t, word, read(ours).Vouch("198.51.100.1:1"))
	require.NotEqual(t, word, read(ours).Vouch("198.51.100.2:1"))
	require.NotEqual(t, word, read(theirs).Vouch("198.51.100.1:1"))
}
