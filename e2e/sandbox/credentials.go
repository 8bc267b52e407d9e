package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
)

// credentials are the keys and certificates of one cluster: of its API server, and of its administrator. Keys
// are elliptic: three RSA keys for each of four clusters would be a noticeable part of the time until all are ready.
type credentials struct {
	dir         string // has the files below
	certificate []byte // PEM; signed by itself, for this cluster alone
	adminToken  string
}

// The files of a cluster's credentials.
const (
	servingCertificate = "serving.crt"
	servingKey         = "serving.key"
	accountsKey        = "service-accounts.key"
	tokens             = "tokens.csv"
	auditPolicyFile    = "audit-policy.yaml"
)

// newCredentials writes a cluster's keys and tokens into dir. Without addresses its server has the loopback address.
func newCredentials(dir, cluster string, addresses ...net.IP) (*credentials, error) {
	serving, servingPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	_, accountsPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	certificate, err := selfSign(serving, cluster, addresses)
	if err != nil {
		return nil, err
	}
	c := &credentials{dir: dir, certificate: certificate, adminToken: rand.Text()}
	return c, c.write(map[string][]byte{
		servingCertificate: certificate,
		servingKey:         servingPEM,
		accountsKey:        accountsPEM,
		tokens:             []byte(c.adminToken + `,admin,1,"system:masters"` + "\n"),
	})
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return key, encoded, nil
}

// selfSign makes a certificate for a server on the loopback address, or on others, that is its own authority.
func selfSign(key *ecdsa.PrivateKey, cluster string, addresses []net.IP) ([]byte, error) {
	if len(addresses) == 0 {
		addresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: cluster},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		IPAddresses:           addresses,
		DNSNames:              []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a serving certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// write puts files beside the others, readable by nobody else.
func (c *credentials) write(files map[string][]byte) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	for name, data := range files {
		if err := os.WriteFile(c.file(name), data, 0o600); err != nil {
			return fmt.Errorf("write credentials: %w", err)
		}
	}
	return nil
}

func (c *credentials) file(name string) string { return filepath.Join(c.dir, name) }

// kubeconfig is a file with which anybody reaches the server as administrator of the named cluster.
func (c *credentials) kubeconfig(name, server string) ([]byte, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: c.certificate}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: c.adminToken}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: "admin"}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return data, nil
}
