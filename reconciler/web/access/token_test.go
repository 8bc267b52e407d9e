package access_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

func TestTokensAreKnownWhileTheyAreInTheFile(t *testing.T) {
	one, first := entry("grafana", "viewer")
	two, second := entry("pipeline", "developer, team: payments")
	d := newDoor(t, "tokens:\n"+first+second, access.Options{})
	d.with(one).is("grafana viewer []")
	d.with(two).is("pipeline developer [payments]")
	d.with(one[:len(one)-1]).isRefused(http.StatusUnauthorized, "not known")
	d.with(one+"x").isRefused(http.StatusUnauthorized, "not known")
	d.visitor().isRefused(http.StatusUnauthorized, "log in")

	changed, err := d.guard.Refresh()
	require.NoError(t, err)
	require.False(t, changed)
	d.write("tokens:\n" + second)
	d.with(one).is("grafana viewer []")
	changed, err = d.guard.Refresh()
	require.NoError(t, err)
	require.True(t, changed)
	d.with(one).isRefused(http.StatusUnauthorized, "not known")
}

func TestAFileWithAMistakeChangesNothing(t *testing.T) {
	token, line := entry("grafana", "viewer")
	d := newDoor(t, "tokens:\n"+line, access.Options{})
	d.write("tokens:\n" + line + line)
	_, err := d.guard.Refresh()
	require.ErrorContains(t, err, `tokens[1] "grafana": an entry before it has this name or token`)
	_, err = d.guard.Refresh()
	require.NoError(t, err, "it is told once")
	d.with(token).is("grafana viewer []")
}

func TestWhoFailsTooOftenWaitsAndWhoIsRightDoesNot(t *testing.T) {
	token, line := entry("grafana", "viewer")
	d := newDoor(t, "tokens:\n"+line, access.Options{})
	codes := map[int]int{}
	for range 50 {
		code, _, _ := d.with("transom_wrong").ask(http.MethodGet, "/", "")
		codes[code]++
	}
	require.GreaterOrEqual(t, codes[http.StatusUnauthorized], 30)
	require.Positive(t, codes[http.StatusTooManyRequests])
	d.with(token).is("grafana viewer []")
}

func TestUnknownPeopleMayBeViewers(t *testing.T) {
	_, line := entry("grafana", "viewer")
	d := newDoor(t, "tokens:\n"+line, access.Options{Unknown: access.Viewer})
	d.visitor().is(" viewer []")
	d.with("transom_wrong").isRefused(http.StatusUnauthorized, "not known")
}

func TestATokenBeginsASessionThatEndsWithIt(t *testing.T) {
	token, line := entry("night-shift", "operator")
	d := newDoor(t, "session: {lifetime: 1h}\ntokens:\n"+line, access.Options{})
	v := d.visitor()
	code, body, _ := v.ask(http.MethodGet, "/login", "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, `name="token"`)
	code, _, _ = v.ask(http.MethodPost, "/login", "token=transom_wrong")
	require.Equal(t, http.StatusUnauthorized, code)

	login := func() {
		code, _, to := v.ask(http.MethodPost, "/login", url.Values{"token": {token}}.Encode())
		require.Equal(t, http.StatusSeeOther, code)
		require.Equal(t, "/", to)
		v.is("night-shift operator []")
	}
	login()
	d.now = d.now.Add(59 * time.Minute)
	v.is("night-shift operator []")
	d.now = d.now.Add(2 * time.Minute)
	v.isRefused(http.StatusUnauthorized, "log in")

	login()
	code, _, _ = v.ask(http.MethodPost, "/logout", "")
	require.Equal(t, http.StatusOK, code)
	v.isRefused(http.StatusUnauthorized, "log in")

	login()
	d.write("")
	_, err := d.guard.Refresh()
	require.NoError(t, err)
	v.isRefused(http.StatusUnauthorized, "log in")
}
