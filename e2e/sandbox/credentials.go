package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// credentials are what one cluster's API server proves itself with, and what proves its administrator to it.
type credentials struct {
	dir        string // holds serving.crt, serving.key, service-accounts.key, tokens.csv
	authority  []byte // PEM; the serving certificate with the CA that signed it, made for this cluster alone
	adminToken string
}

// newCredentials writes a cluster's keys and tokens into dir.
func newCredentials(dir string) (*credentials, error) {
	chain, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"})
	if err != nil {
		return nil, fmt.Errorf("make a serving certificate: %w", err)
	}
	accounts, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a key for service accounts: %w", err)
	}
	accountsPEM, err := keyutil.MarshalPrivateKeyToPEM(accounts)
	if err != nil {
		return nil, fmt.Errorf("encode the key for service accounts: %w", err)
	}
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	c := &credentials{dir: dir, authority: chain, adminToken: hex.EncodeToString(token)}
	return c, c.write(map[string][]byte{
		"serving.crt":          chain,
		"serving.key":          key,
		"service-accounts.key": accountsPEM,
		"tokens.csv":           []byte(c.adminToken + `,admin,1,"system:masters"` + "\n"),
	})
}

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
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: c.authority}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: c.adminToken}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: "admin"}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return data, nil
}
