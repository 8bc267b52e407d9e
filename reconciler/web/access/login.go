package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// loginTime is how long somebody may take to log in at the issuer.
const loginTime = 10 * time.Minute

// mostForm is how long a form may be that is sent here.
const mostForm = mostToken + 1<<10

// A login is the content of the cookie of somebody who was sent to the issuer.
type login struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // of PKCE
	Expires  time.Time `json:"e"`
}

// Login sends a browser to the issuer, or, where there is none, asks for a token.
func (g *Guard) Login(w http.ResponseWriter, r *http.Request) {
	switch s := g.settings(); {
	case s == nil:
		writePage(w, http.StatusNotFound, "Nobody has to log in here.", toConsole)
	case s.OIDC == nil:
		writePage(w, http.StatusOK, "Log in with a token, as \"transom token\" made it.", tokenForm)
	default:
		if err := g.begin(w, r, s.OIDC); err != nil {
			writePage(w, http.StatusBadGateway, "You cannot log in at the moment: "+err.Error(), again)
		}
	}
}

func (g *Guard) begin(w http.ResponseWriter, r *http.Request, o *issuer) error {
	p, _, err := g.provider.discover(r.Context(), o, g.now())
	if err != nil {
		return err
	}
	l := login{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Expires: g.now().Add(loginTime)}
	if err := g.setCookie(w, loginCookie, l, loginTime); err != nil {
		return err
	}
	http.Redirect(w, r, o.flow(p).AuthCodeURL(l.State, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)), http.StatusSeeOther)
	return nil
}

// Callback takes back a browser that the issuer sends, and begins a session.
func (g *Guard) Callback(w http.ResponseWriter, r *http.Request) {
	s := g.settings()
	if s == nil || s.OIDC == nil {
		writePage(w, http.StatusNotFound, "Nobody logs in at an issuer here.", toConsole)
		return
	}
	var l login
	ours := g.readCookie(r, loginCookie, &l) && g.now().Before(l.Expires) &&
		subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(l.State)) == 1
	dropCookie(w, loginCookie)
	switch {
	case !g.failures.mayFail(r):
		writePage(w, http.StatusTooManyRequests, tooMany().Error(), again)
		return
	case !ours:
		g.fail(w, r, errors.New("it was not begun in this browser, or more than ten minutes ago"))
		return
	case r.FormValue("error") != "":
		g.fail(w, r, fmt.Errorf("the issuer says %.100s: %.500s", r.FormValue("error"), r.FormValue("error_description")))
		return
	}
	person, groups, err := g.exchange(r.Context(), s.OIDC, l, r.FormValue("code"))
	if err != nil {
		g.fail(w, r, err)
		return
	}
	g.enter(w, s, session{Source: s.OIDC.source(), Name: person.name(), Subject: person.Subject, Groups: s.OIDC.granted(groups)}, groups)
}

// exchange asks the issuer who the person is that it sent with a code.
func (g *Guard) exchange(ctx context.Context, o *issuer, l login, code string) (claims, []string, error) {
	p, client, err := g.provider.discover(ctx, o, g.now())
	if err != nil {
		return claims{}, nil, err
	}
	ctx = oidc.ClientContext(ctx, client)
	token, err := o.flow(p).Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return claims{}, nil, fmt.Errorf("exchange the code of the issuer: %w", err)
	}
	person, groups, err := g.verify(ctx, o, p, token, l.Nonce)
	if err != nil {
		return claims{}, nil, fmt.Errorf("the issuer's ID token: %w", err)
	}
	return person, groups, nil
}

// LoginByToken begins a session of the tokenEntry of a token.
func (g *Guard) LoginByToken(w http.ResponseWriter, r *http.Request) {
	s := g.settings()
	if s == nil {
		writePage(w, http.StatusNotFound, "Nobody has to log in here.", toConsole)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	h := entryOf(s.Tokens, strings.TrimSpace(r.PostFormValue("token")))
	if h == nil {
		code, message := http.StatusUnauthorized, "This token is not known here."
		if !g.failures.add(r) {
			code, message = http.StatusTooManyRequests, tooMany().Error()
		}
		writePage(w, code, message, tokenForm)
		return
	}
	g.enter(w, s, session{Source: h.SHA256}, nil)
}

// enter begins a session, if it has a role.
func (g *Guard) enter(w http.ResponseWriter, s *settings, of session, groups []string) {
	if who := s.member(of); who.Role == Anybody {
		g.failures.roleless.Add(1)
		text := "none"
		if len(groups) > 0 {
			text = strings.Join(groups[:min(len(groups), 20)], ", ")
		}
		writePage(w, http.StatusForbidden, fmt.Sprintf("%s. Your groups, by the claim %s: %s. An operator gives a role to one of them in the file of --access.",
			who, s.OIDC.GroupsClaim, text), again)
		return
	}
	of.ID, of.Expires = rand.Text(), g.now().Add(s.Session.Lifetime)
	if err := g.setCookie(w, sessionCookie, of, s.Session.Lifetime); err != nil {
		writePage(w, http.StatusForbidden, err.Error(), again)
		return
	}
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
}

// Logout ends the session of a browser, also for who has a copy of its cookie.
func (g *Guard) Logout(w http.ResponseWriter, r *http.Request) {
	if of, ok := g.session(r); ok {
		g.ended.Add(of.ID, true, of.Expires.Sub(g.now()))
	}
	dropCookie(w, sessionCookie)
	writePage(w, http.StatusOK, "You are logged out.", again)
}

// fail counts a login that went wrong, and says why.
func (g *Guard) fail(w http.ResponseWriter, r *http.Request, err error) {
	g.failures.add(r)
	writePage(w, http.StatusUnauthorized, "You are not logged in: "+err.Error(), again)
}

// The ways on from a page.
const (
	toConsole = `<p><a href="/">Open the console</a></p>`
	again     = `<p><a href="/login">Log in</a></p>`
	tokenForm = `<form method="post" action="/login"><label>Token <input type="password" name="token" autocomplete="current-password" required></label>
<button>Log in</button></form>`
)

// mostMessage is how much of a message people get to see: an issuer may say much.
const mostMessage = 1000

// WriteRefusal writes a page that says why there is no other one. A number of seconds, if there is one, is when to try again, which a
// browser does by itself then.
func WriteRefusal(w http.ResponseWriter, code int, message string, seconds int) {
	on := toConsole
	if seconds > 0 {
		w.Header().Set("Refresh", fmt.Sprint(seconds))
		on = fmt.Sprintf(`<p>Try again in %d s; this page does so by itself.</p>`, seconds)
	}
	writePage(w, code, message, on)
}

// writePage writes a page with a message and a way on, for people.
func writePage(w http.ResponseWriter, code int, message, on string) {
	message = strings.ToValidUTF8(message[:min(len(message), mostMessage)], "")
	if code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "60") // tooMany says so
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Transom</title>
<link rel="icon" href="/transom.svg" type="image/svg+xml"><link rel="stylesheet" href="/console.css"></head>
<body><main class="login"><h1>Transom</h1><p role="alert">%s</p>%s</main></body>
</html>
`, html.EscapeString(message), on) // a browser that went away is no concern of ours
}
