package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// mostFile is how long a file with a token or with authorities may be.
const mostFile = 1 << 20

// identify adds the token to a request, if there is one.
func (c Client) identify(req *http.Request) error {
	token := c.Token
	if c.TokenFile != "" {
		content, err := readFile(c.TokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		token = string(content)
	}
	token = strings.TrimSpace(token)
	switch {
	case token == "" && c.TokenFile != "":
		return fmt.Errorf("--token-file %s is empty", c.TokenFile)
	case token == "":
		return nil
	case strings.ContainsAny(token, " \t\r\n"):
		return fmt.Errorf("the token has spaces or several lines; it is one word, such as \"transom token\" prints")
	case req.URL.Scheme != "https" && !loopback(req.URL.Hostname()):
		return fmt.Errorf("the token would travel in the clear to %s: use https, or a tunnel to this machine", c.Server)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, mostFile))
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// http follows no redirect that leads elsewhere: the token was meant for this daemon.
func (c Client) http() (*http.Client, error) {
	asking := &http.Client{CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if from := via[0].URL; to.URL.Scheme != from.Scheme || to.URL.Host != from.Host {
			return fmt.Errorf("%s sends to another server, %s://%s, which is not asked: set --server or TRANSOM_SERVER to it, if it is right",
				c.Server, to.URL.Scheme, to.URL.Host)
		}
		if len(via) >= 10 {
			return fmt.Errorf("%s sends from one address to the next without an end", c.Server)
		}
		return nil
	}}
	if c.CA == "" {
		return asking, nil
	}
	content, err := readFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	trusted, err := x509.SystemCertPool()
	if err != nil {
		trusted = x509.NewCertPool()
	}
	if !trusted.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("--ca %s has no certificate in PEM", c.CA)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	transport.DisableKeepAlives = true // each question reads the file anew, and has a transport of its own
	asking.Transport = transport
	return asking, nil
}
