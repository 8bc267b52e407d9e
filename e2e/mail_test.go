package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler"
	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/tracing"
)

// A mailServer speaks SMTP, and may misbehave at one of the client's words.
type mailServer struct {
	net.Listener
	way  atomic.Pointer[mailWay] // nil: it is well
	took atomic.Int32            // mails
}

// A mailWay is how a mail server misbehaves: instead of answering a word. The greeting answers the word "".
type mailWay struct {
	at     string
	answer func(conn net.Conn)
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &mailServer{Listener: listener}
	t.Cleanup(func() { _ = s.Close() })
	go func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			go s.talk(conn)
		}
	}()
	return s
}

// talk has one conversation.
func (s *mailServer) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	for word := ""; ; {
		if how := s.way.Load(); how != nil && how.at == word {
			how.answer(conn)
			return
		}
		answer := map[string]string{
			"": "220 mail.example ESMTP", "EHLO": "250-mail.example\r\n250 AUTH PLAIN", "AUTH": "235 welcome", "DATA": "354 go on",
			".": "250 taken", "QUIT": "221 bye",
		}[word]
		if answer == "" {
			answer = "250 ok"
		}
		if word == "." {
			s.took.Add(1)
		}
		if _, err := fmt.Fprintf(conn, "%s\r\n", answer); err != nil || word == "QUIT" {
			return
		}
		if word == "DATA" {
			for lines.Scan() && lines.Text() != "." {
			}
			word = "."
			continue
		}
		if !lines.Scan() {
			return
		}
		word, _, _ = strings.Cut(strings.ToUpper(lines.Text()), " ")
	}
}

func says(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// hangs until the client has gone.
func hangs(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	}
}

func endless(line string) func(net.Conn) {
	return func(conn net.Conn) {
		part := []byte(strings.Repeat(line, 1000))
		for err := error(nil); err == nil; {
			_, err = conn.Write(part)
		}
	}
}

// TestAMailServerMayMisbehave: an attempt to send mail ends when its time is up, its error has no secret, and once the server is well
// it takes mail as before.
func TestAMailServerMayMisbehave(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]mailWay{
		"closes":                  {"", says("")},
		"silent":                  {"", hangs("")},
		"greets and hangs":        {"EHLO", hangs("")},
		"hangs within a line":     {"EHLO", hangs("250-mail.exa")},
		"hangs at the credential": {"AUTH", hangs("")},
		"hangs at the text":       {"DATA", hangs("")},
		"hangs at its end":        {".", hangs("")},
		"half an answer":          {"EHLO", says("250-mail.example\r\n")},
		"garbage":                 {"", says(strings.Repeat("\x00\xff garbage", 1000) + "\r\n")},
		"a web server":            {"", says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
		"busy":                    {"", says("421 too many connections\r\n")},
		"out of order":            {"MAIL", says("451 out of order\r\n")},
		"refuses the credential":  {"AUTH", says("535 who is " + partySecret + "?\r\n")},
		"refuses the recipient":   {"RCPT", says("550 nobody here\r\n")},
		"an endless line":         {"", endless("a")},
		"endless lines":           {"EHLO", endless("250-and more\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t)
			target := notify.Target{Name: "mail", URL: "smtp://transom:" + url.QueryEscape(partySecret) + "@" + s.Addr().String() + "/?from=transom@acme.example&to=team@acme.example"}
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			s.way.Store(&how)
			short, end := context.WithTimeout(ctx, shortly)
			defer end()
			err := notify.Test(short, target)
			require.Error(t, err)
			require.NotContains(t, err.Error(), partySecret)
			require.Less(t, len(err.Error()), 8<<10)
			require.Zero(t, s.took.Load())
			s.way.Store(nil)
			require.NoError(t, notify.Test(ctx, target))
			require.EqualValues(t, 1, s.took.Load())
		})
	}
}

// tellCollector has a collector told of a state commit, and returns its fault.
func tellCollector(t *testing.T, at, ca string) func(context.Context) error {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", at)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key="+partySecret)
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "500") // ms
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "")
	if strings.HasPrefix(at, "https:") {
		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", ca)
	}
	return func(ctx context.Context) error {
		faults := make(chan error, 100)
		spans, err := tracing.Open(ctx, "1", func(err error) { faults <- err })
		if err != nil {
			return err
		}
		began := time.Now()
		spans.Committed(reconciler.Change{Environment: "dev", Commit: strings.Repeat("1", 40), Platform: strings.Repeat("2", 40), Began: began})
		if took := time.Since(began); took > time.Second {
			return fmt.Errorf("a pass waited for it %s", took)
		}
		ended, end := context.WithCancel(ctx)
		end()
		if err := spans.Run(ended); err != nil {
			return err
		}
		select {
		case err := <-faults:
			return err
		default:
			return nil
		}
	}
}

// TestACollectorMayMisbehave is not parallel: the environment of the process names the collector.
func TestACollectorMayMisbehave(t *testing.T) {
	away := newElsewhere(t)
	all := ways(t)
	all["sends-elsewhere"] = way{answer: sendsTo(away)}
	all["another-certificate"] = way{}
	p := party{well: func(http.ResponseWriter, *http.Request) {}, asker: tellCollector, bears: []string{ // the status alone says that spans were taken
		"page", "truncates", "trickles", "hangs-within", "something-else", "pack-lies",
	}}
	for name, how := range all {
		t.Run(name, func(t *testing.T) { misbehaves(t, p, name, how) })
	}
	require.NotContains(t, away.sent.String(), partySecret)
}
