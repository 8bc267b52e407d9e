package main

import (
	"errors"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/notify"
	"transom.dev/render/worker"
)

func TestMain(m *testing.M) {
	worker.Main()
	notify.Main()
	testscript.Main(m, map[string]func(){"transom": main})
}

// TestScripts runs the real binary as people do. $ACME is the example platform, which scripts copy before they break it.
func TestScripts(t *testing.T) {
	acme, err := filepath.Abs("../../examples/acme")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"ACME": acme, "NO_COLOR": "1", "TRANSOM_SERVER": "", "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
				"GIT_AUTHOR_NAME": "Developer", "GIT_AUTHOR_EMAIL": "developer@example.com",
				"XDG_CACHE_HOME": filepath.Join(env.WorkDir, ".cache"), "FORGE": startForge(env),
				"GIT_COMMITTER_NAME": "Developer", "GIT_COMMITTER_EMAIL": "developer@example.com",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"substitute": substitute, "exits": exits},
	})
}

// startForge serves the repositories below $WORK/forge to developer, whose password is orchard.
func startForge(env *testscript.Env) string {
	backend := &cgi.Handler{
		Path: "/usr/bin/env", Args: []string{"git", "http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(env.WorkDir, "forge"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=developer"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "developer" || password != "orchard" {
			w.Header().Set("WWW-Authenticate", `Basic realm="forge"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	env.Defer(server.Close)
	return server.URL
}

// substitute FILE OLD NEW replaces text in a file, where \n is a new line, and fails where the text is not there.
func substitute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: substitute FILE OLD NEW")
	}
	name := ts.MkAbs(args[0])
	content := ts.ReadFile(args[0])
	replaced := replaceOnce(content, args[1], args[2])
	if replaced == content {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, []byte(replaced), 0o600))
}

// exits CODE transom ARG... runs transom and expects an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	if code := exitStatus(err); code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

func replaceOnce(content, old, replacement string) string {
	return strings.Replace(content, old, strings.ReplaceAll(replacement, `\n`, "\n"), 1)
}

func exitStatus(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	default:
		return err.Error()
	}
}
