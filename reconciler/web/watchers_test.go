package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asWatchers is the environment variable by which this binary runs itself as the clients of streams of a daemon. It has their address.
const asWatchers = "TRANSOM_TEST_WATCHERS"

// watched is how many streams they open.
const watched = 2000

func TestMain(m *testing.M) {
	if host := os.Getenv(asWatchers); host != "" {
		if err := watchAll(host, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	endChromium()
	os.Exit(code)
}

// watchAll opens the streams until its input ends. Each time all of them were told that something changed, it says when each was, in
// nanoseconds since 1970.
func watchAll(host string, until io.Reader, say io.Writer) error {
	heard := make(chan int64, watched)
	for range watched {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", host)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "GET /api/v1/events?only=status HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", host); err != nil {
			return err
		}
		go func() {
			for lines := bufio.NewReaderSize(conn, 128); ; {
				line, err := lines.ReadString('\n')
				if err != nil {
					return // the daemon ended it, and somebody waits for a line in vain
				}
				if strings.HasPrefix(line, "data: {}") {
					heard <- time.Now().UnixNano()
				}
			}
		}()
	}
	go func() {
		for say := json.NewEncoder(say); ; {
			all := make([]int64, 0, watched)
			for range watched {
				all = append(all, <-heard)
			}
			_ = say.Encode(all) // whoever does not listen has ended
		}
	}()
	_, err := io.Copy(io.Discard, until)
	return err
}

// startWatchers runs the clients of streams in a process of their own, at the lowest priority: on a machine of few cores they have the
// time that the daemon leaves. told waits until all were told of something, and returns when each was. In the end it says the processor
// time that they took.
func startWatchers(b *testing.B, host string) (told func() []time.Time, end func() time.Duration) {
	b.Helper()
	self, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.Command("nice", "-n", "19", self)
	cmd.Env = append(os.Environ(), asWatchers+"="+host, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(b, err)
	output, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := json.NewDecoder(output)
	told = func() []time.Time {
		var all []int64
		require.NoError(b, lines.Decode(&all))
		at := make([]time.Time, 0, len(all))
		for _, nanos := range all {
			at = append(at, time.Unix(0, nanos))
		}
		slices.SortFunc(at, time.Time.Compare)
		return at
	}
	return told, func() time.Duration {
		require.NoError(b, input.Close())
		require.NoError(b, cmd.Wait())
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}
