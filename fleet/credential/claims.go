package credential

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// claims are what a token of a ServiceAccount says about itself. Nobody here checks its signature: the cluster does.
type claims struct {
	Issued     int64  `json:"iat"`
	Expires    int64  `json:"exp"`
	Subject    string `json:"sub"`
	Kubernetes struct {
		Namespace      string `json:"namespace"`
		ServiceAccount struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// claimsOf reads a token; false where it does not say anything, as an opaque one.
func claimsOf(token string) (c claims, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return c, err == nil && json.Unmarshal(payload, &c) == nil
}

// Expiry is when a token ends; zero where it does not say that.
func Expiry(token string) time.Time {
	said, _ := claimsOf(token)
	return instant(said.Expires)
}

// instant is a time of a token; zero where it has none.
func instant(seconds int64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// describe fills in the user and the expiry that the credential itself tells. A client certificate goes before a token, as it
// does with an API server.
func (c *Credential) describe() {
	c.User = c.Config.Username
	if certificate := certificateOf(c.Config); certificate != nil {
		c.User, c.Issued, c.Expires = certificate.Subject.CommonName, certificate.NotBefore, certificate.NotAfter
		return
	}
	token := c.Config.BearerToken
	if c.Config.BearerTokenFile != "" {
		data, err := os.ReadFile(c.Config.BearerTokenFile)
		if err != nil {
			return // the first request says so
		}
		token = strings.TrimSpace(string(data))
	}
	if said, ok := claimsOf(token); ok {
		c.User, c.Issued, c.Expires = said.Subject, instant(said.Issued), instant(said.Expires)
	}
}

// certificateOf reads the client certificate of a configuration; nil where there is none that can be read.
func certificateOf(config *rest.Config) *x509.Certificate {
	data := config.CertData
	if len(data) == 0 && config.CertFile != "" {
		data, _ = os.ReadFile(config.CertFile) // making the client says why it cannot be read
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return certificate
}
