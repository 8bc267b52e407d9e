package notify_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/status"
	"transom.dev/render/event"
	"transom.dev/render/platform"
)

// services are targets of each service that speaks HTTP. Those that only one host offers are reached by the proxy of the test, as all are.
var services = map[string]string{
	"bark":       "bark://:device-key@chat.example/",
	"discord":    "discord://tokentoken@123456789",
	"generic":    "generic+https://chat.example/hook",
	"gotify":     "gotify://chat.example/Aaa.bbb.ccc.ddd",
	"googlechat": "googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=bar&token=baz",
	"hangouts":   "hangouts://chat.googleapis.com/v1/spaces/FOO/messages?key=bar&token=baz",
	"ifttt":      "ifttt://key/?events=event1",
	"join":       "join://:apikey@join/?devices=device",
	"lark":       "lark://open.larksuite.com/token",
	"matrix":     "matrix://:token@chat.example/?rooms=room1",
	"mattermost": "mattermost://bot@chat.example/token/channel",
	"notifiarr":  "notifiarr://apikey123?channel=123456789",
	"ntfy":       "ntfy://:token@chat.example/topic",
	"opsgenie":   "opsgenie://api.opsgenie.com/eb243592-faa2-4ba2-a551q-1afdf565c889",
	"pagerduty":  "pagerduty://events.pagerduty.com/a1b2c3d4e5f678901234567890abcdef",
	"pushbullet": "pushbullet://tokentokentokentokentokentokentoke",
	"pushover":   "pushover://:apptoken@usertoken",
	"rocketchat": "rocketchat://chat.example/token/channel",
	"signal":     "signal://chat.example:443/+1234567890/+0987654321?disabletls=no",
	"slack":      "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook",
	"teams":      "teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=acme.webhook.office.com",
	"telegram":   "telegram://000000000:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@telegram?chats=channel-1",
	"wecom":      "wecom://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
	"zulip":      "zulip://bot-name%40zulipchat.com:correcthorsebatterystable@chat.example?stream=foo&topic=bar",
}

// A world is a proxy that takes the place of all hosts: each but "elsewhere.example" answers with a status, or redirects to that one.
type world struct {
	status int

	mu    sync.Mutex
	first []int    // the statuses of the first answers
	asked []string // hosts
}

// forget returns the hosts that were asked.
func (p *world) forget() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.asked = nil }()
	return p.asked
}

func (p *world) answer(w http.ResponseWriter, host string) {
	p.mu.Lock()
	p.asked = append(p.asked, host)
	status := p.status
	if len(p.first) > 0 {
		status, p.first = p.first[0], p.first[1:]
	}
	p.mu.Unlock()
	const content = "bad gateway"
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.Header().Set("Location", "https://elsewhere.example/")
	w.Header().Set("Content-Type", "application/json")
	if host != "elsewhere.example" {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, content)
}

// start has the messengers of this test use the proxy, and trust it.
func (p *world) start(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		DNSNames: []string{
			"*.example", "chat.example", "elsewhere.example", "discord.com", "chat.googleapis.com", "maker.ifttt.com", "joinjoaomgcd.appspot.com", "open.larksuite.com", "notifiarr.com", "api.opsgenie.com",
			"events.pagerduty.com", "api.pushbullet.com", "api.pushover.net", "hooks.slack.com", "acme.webhook.office.com", "api.telegram.org", "qyapi.weixin.qq.com",
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	own := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.URL.Hostname()
		if r.Method != http.MethodConnect {
			p.answer(w, host)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		p.serve(tls.Server(conn, own), host)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	for name, value := range map[string]string{"HTTPS_PROXY": server.URL, "HTTP_PROXY": server.URL, "NO_PROXY": "", "SSL_CERT_FILE": file, "SSL_CERT_DIR": t.TempDir()} {
		t.Setenv(name, value)
		t.Setenv(strings.ToLower(name), value)
	}
}

// serve answers the requests of a connection to a host.
func (p *world) serve(conn net.Conn, host string) {
	defer func() { _ = conn.Close() }()
	for requests := bufio.NewReader(conn); ; {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		answer := httptest.NewRecorder()
		p.answer(answer, host)
		if answer.Result().Write(conn) != nil {
			return
		}
	}
}

// TestNoServiceFollowsARedirect: what is meant for one host, credentials included, is sent to no other.
func TestNoServiceFollowsARedirect(t *testing.T) {
	known := new(router.ServiceRouter).ListServices()
	require.ElementsMatch(t, append(slices.Collect(maps.Keys(services)), "logger", "smtp"), known, "a service has a target here")
	p := &world{status: http.StatusTemporaryRedirect}
	p.start(t)
	for name, address := range services {
		t.Run(name, func(t *testing.T) {
			err := notify.Test(t.Context(), notify.Target{Name: name, URL: address})
			asked := p.forget()
			require.NotEmpty(t, asked, "%v", err)
			require.NotContains(t, asked, "elsewhere.example")
			require.ErrorContains(t, err, "it redirects, which is not followed")
		})
	}
}

// TestNoServiceSaysThatItSentWhatWasNotTaken: an answer that no service expects, and none at all.
func TestNoServiceSaysThatItSentWhatWasNotTaken(t *testing.T) {
	p := &world{status: http.StatusBadGateway}
	p.start(t)
	for name, address := range services {
		t.Run(name, func(t *testing.T) {
			require.Error(t, notify.Test(t.Context(), notify.Target{Name: name, URL: address}))
			require.NotEmpty(t, p.forget())
		})
	}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for name, address := range services {
		t.Run(name+" is away", func(t *testing.T) {
			err := notify.Test(t.Context(), notify.Target{Name: name, URL: address})
			require.ErrorContains(t, err, "refused")
		})
	}
	require.Empty(t, p.forget())
}

// TestEachPartOfWhatIsSentHasToBeTaken: a service with several chats sends one request for each, and one that tries again sends the same twice.
func TestEachPartOfWhatIsSentHasToBeTaken(t *testing.T) {
	for name, c := range map[string]struct {
		url      string
		statuses []int
		says     string // empty: it is sent
	}{
		"the first of two chats":  {services["telegram"] + ",channel-2", []int{403, 200}, "403 Forbidden"},
		"the second of two chats": {services["telegram"] + ",channel-2", []int{200, 403}, "403 Forbidden"},
		"both":                    {services["telegram"] + ",channel-2", []int{200, 200}, ""},
		"taken when tried again":  {services["discord"], []int{503, 204}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &world{status: http.StatusTeapot, first: c.statuses}
			p.start(t)
			err := notify.Test(t.Context(), notify.Target{Name: name, URL: c.url})
			require.Len(t, p.forget(), len(c.statuses))
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}

// TestWhatOneChatRefusesIsNotSentToTheOthersAgain, unless a chat may take it later.
func TestWhatOneChatRefusesIsNotSentToTheOthersAgain(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		want     notify.Outcome
	}{
		"refused":       {[]int{403, 200}, notify.Failed},
		"away":          {[]int{503, 200, 200, 200}, notify.Sent},
		"all refuse it": {[]int{403, 403, 200, 200}, notify.Sent},
	} {
		t.Run(name, func(t *testing.T) {
			p := &world{status: http.StatusTeapot, first: c.statuses}
			p.start(t)
			n := notify.New(notify.Targets{"chats": {Name: "chats", URL: services["telegram"] + ",channel-2"}})
			n.Gather = time.Millisecond
			outcomes := make(chan notify.Outcome, 1)
			n.Counted = func(_ string, outcome notify.Outcome) { outcomes <- outcome }
			all := map[string]*platform.Notification{"n": {Name: "n", Target: "chats"}}
			n.Notifications = func() map[string]*platform.Notification { return all }
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- n.Run(ctx) }()
			n.Take(status.Event{Kind: event.Failed, Environment: "prod", Request: shop, Message: "crashes"})
			require.Equal(t, c.want, <-outcomes)
			cancel()
			require.NoError(t, <-ended)
			require.Len(t, p.forget(), len(c.statuses))
		})
	}
}
