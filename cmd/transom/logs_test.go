package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

// TestLogsExitWithOneWhereNoneCouldBeRead, and with 0 where one of several could.
func TestLogsExitWithOneWhereNoneCouldBeRead(t *testing.T) {
	const failed, line = `{"pod":"shop-1","container":"web","line":"","error":"it was evicted"}` + "\n", `{"pod":"shop-2","container":"web","line":"ready"}` + "\n"
	for body, want := range map[string]int{failed: 1, failed + line: 0, line: 0, "": 0} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		t.Cleanup(server.Close)
		var out, told bytes.Buffer
		err := run(t.Context(), []string{"logs", "store/shop", "-e", "dev", "--server", server.URL}, nil, &out, &told)
		require.Equal(t, want, exitCode(err), body)
	}
}

// TestLogsRefuseFlagsThatAskForNoLog before the daemon is asked.
func TestLogsRefuseFlagsThatAskForNoLog(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"store/shop", "-e", "dev", "--tail", "0"}, "--tail 0: it is a number of lines from 1 to 10000"},
		{[]string{"store/shop", "-e", "dev", "--tail", "-1"}, "--tail -1: it is a number"},
		{[]string{"store/shop", "-e", "dev", "--tail", "10001"}, "--tail 10001: it is a number"},
		{[]string{"store/shop", "-e", "dev", "-f", "--previous"}, "--follow and --previous do not go together"},
		{[]string{"x"}, `"x" is not of the form TEAM/REQUEST`},
		{[]string{"store/shop"}, "store/shop needs --environment"},
	} {
		var out, told bytes.Buffer
		err := run(t.Context(), append([]string{"logs", "--server", "http://127.0.0.1:1"}, c.args...), nil, &out, &told)
		require.Equal(t, 1, exitCode(err))
		require.Contains(t, told.String(), c.want)
		require.Contains(t, told.String(), "run \"transom logs --help\" for how it is used")
	}
}

// TestExplainAndOpenSayWhereNothingRunsYet, and which environments there are.
func TestExplainAndOpenSayWhereNothingRunsYet(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "9f2c1ab"})
	b.Reconciled(status.Environment{Name: "dev", Commit: "9f2c1ab"}, []status.Instance{{Environment: "dev", Request: shop, Release: "sha256:aaaa", Version: "1.0.0"}})
	b.Reconciled(status.Environment{Name: "prod", Commit: "9f2c1ab"}, []status.Instance{{
		Environment: "prod", Request: shop, Candidate: &status.Candidate{Release: "sha256:aaaa", Offering: "web", Version: "1.0.0"},
		Waiting: []status.Gate{{Name: "approval", Reason: "nobody approved web 1.0.0", Opens: "an Approval in decisions/prod"}},
	}})
	b.Reconciled(status.Environment{Name: "staging", Commit: "9f2c1ab"}, nil)
	o := web.Options{Board: b, Explain: func(context.Context, web.Question) (web.Trace, error) { return web.Trace{}, web.ErrNotFound }}
	_, told, code := transom(t, o, "explain", "store/shop", "-e", "prod")
	require.Equal(t, 1, code)
	require.Equal(t, "transom: nothing of store/shop runs in prod yet: its first release, web 1.0.0, waits for approval: nobody approved web 1.0.0; "+
		"opens: an Approval in decisions/prod\n", told)
	for _, command := range []string{"explain", "open"} {
		_, told, code = transom(t, o, command, "store/shop", "-e", "pord")
		require.Equal(t, 1, code)
		require.Contains(t, told, `no environment "pord"`)
		require.Contains(t, told, `did you mean "prod"?`)
	}
	_, told, code = transom(t, o, "open", "store/shop", "-e", "staging")
	require.Equal(t, 1, code)
	require.Contains(t, told, "no request store/shop in environment staging")
	out, _, code := transom(t, o, "open", "store/shop", "-e", "prod")
	require.Zero(t, code)
	require.Contains(t, out, "/requests/store/shop?environment=prod")
}
