package access

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"slices"
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

// Config serves with the pair that was read last.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now(), nil },
	}
}
