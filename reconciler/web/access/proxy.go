package access

import (
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Behind lets requests through that come through a proxy in one of the networks, under the address and the host that the proxy says.
// Without TLS, others could send their tokens in the clear: they are refused, but for this machine's own and for the paths that are
// open. Without networks nobody is asked for a proxy, and nobody's word is taken for one's.
func Behind(networks []netip.Prefix, open func(path string) bool, next http.Handler) http.Handler {
	if len(networks) == 0 {
		return next
	}
	proxy := func(a netip.Addr) bool {
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := peer(r)
		switch {
		case proxy(from):
			r = r.Clone(r.Context())
			if client, ok := forwarded(r.Header.Values("X-Forwarded-For"), proxy); ok {
				r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
			}
			if hosts := r.Header.Values("X-Forwarded-Host"); len(hosts) > 0 {
				r.Host = lastOf(hosts)
			}
		case r.TLS == nil && !from.IsLoopback() && !open(r.URL.Path):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error": "this address is for the proxy (--behind-proxy): ask at the proxy's"}`+"\n") // to whom it reaches
			return
		}
		next.ServeHTTP(w, r)
	})
}

// forwarded is the last address in X-Forwarded-For that is no proxy of ours: the client itself may have written the part
// before it.
func forwarded(headers []string, proxy func(netip.Addr) bool) (netip.Addr, bool) {
	all := strings.Split(strings.Join(headers, ","), ",")
	for _, text := range slices.Backward(all) {
		address, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return netip.Addr{}, false
		}
		if address = address.Unmap(); !proxy(address) {
			return address, true
		}
	}
	return netip.Addr{}, false
}

func lastOf(headers []string) string {
	last := headers[len(headers)-1]
	return strings.TrimSpace(last[strings.LastIndex(last, ",")+1:])
}
