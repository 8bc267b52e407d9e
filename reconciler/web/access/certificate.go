package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A Certificate is a pair of a certificate and its key that is read from files.
type Certificate struct{ *kept[tls.Certificate] }

// ReadCertificate reads the pair, both in PEM.
func ReadCertificate(certificate, key string) (*Certificate, error) {
	k, err := open(func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s and its key %s: %w", certificate, key, err)
		}
		return &pair, nil
	}, func(before, after *tls.Certificate) bool {
		return slices.EqualFunc(before.Certificate, after.Certificate, bytes.Equal)
	})
	return &Certificate{k}, err
}

// Peer is how another process is reached that has the same pair: it shows the certificate that was read last, or another one for the same
// name that an authority vouches for which this machine knows.
func (c *Certificate) Peer() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	leaf := c.now().Leaf
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AddCert(leaf)
	config.RootCAs = pool
	switch {
	case len(leaf.DNSNames) > 0:
		config.ServerName = strings.Replace(leaf.DNSNames[0], "*", "transom", 1)
	case len(leaf.IPAddresses) > 0:
		config.ServerName = leaf.IPAddresses[0].String()
	}
	return config
}

// Vouch is a text about another one that only a process with the same key can make; empty: the key cannot be encoded.
func (c *Certificate) Vouch(text string) string {
	key, err := x509.MarshalPKCS8PrivateKey(c.now().PrivateKey)
	if err != nil {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte("transom: a replica says: " + text)) // it never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// Config serves with the pair that was read last.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now(), nil },
	}
}
