package web

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// answering lets only requests through that name this machine: by a loopback name, by one of its addresses, or by one of
// names. A page of another site that has its own name resolve to this machine could read every answer otherwise: a browser
// takes it for that site's own. Health and metrics are asked for by any name, as monitoring does, and calls
// of Git servers are signed and read nothing.
func answering(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		named := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) })
		if !exempt[r.URL.Path] && r.URL.Path != hookPath && !loopback(host) && !named && !ownAddress(host) {
			writeError(w, refuse(http.StatusMisdirectedRequest, "this console does not go by the name %s; start transom serve with --host %[1]s if it should", printable(host)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

var exempt = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// hostOf is the name or address of HOST, HOST:PORT or [ADDRESS]:PORT.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

// loopback says whether a name or address is this machine's whatever machine it is.
func loopback(host string) bool {
	name := strings.ToLower(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ownAddress says whether an address is one of the machine's interfaces at this moment.
func ownAddress(host string) bool {
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	addresses, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool {
		of, ok := a.(*net.IPNet)
		return ok && of.IP.Equal(ip)
	})
}

// printable cuts a name that a client sent down to characters of names.
func printable(host string) string {
	host = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(".-:_", r), '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			return r
		default:
			return '?'
		}
	}, host)
	return host[:min(len(host), 253)]
}
