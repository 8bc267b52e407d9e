package access

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
)

// A Reviewer asks a cluster whose a token is, as the TokenReviews of client-go do.
type Reviewer interface {
	Create(ctx context.Context, review *authentication.TokenReview, o metav1.CreateOptions) (*authentication.TokenReview, error)
}

// Options say how a Guard knows people.
type Options struct {
	// File is the file of access. Omitted, nobody can log in.
	File string

	// Unknown is the role of who shows no credentials; Anybody has to log in.
	Unknown Role

	// Reviews asks the cluster that the daemon runs in. Omitted, the file of access may not speak of Kubernetes.
	Reviews Reviewer

	// ReadSecret reads a file that nobody else may read. Omitted, it is os.ReadFile.
	ReadSecret func(file string) ([]byte, error)

	// Now is the time. Omitted, it is time.Now.
	Now func() time.Time
}

// A Guard says who asks and whether they may. It is safe for concurrent use.
type Guard struct {
	unknown  Role
	file     *kept[settings] // nil: nobody can log in
	now      func() time.Time
	key      []byte // of cookies, where the file of access names none
	failures *failures
	reviews  *reviews
	ended    *cache.LRUExpireCache // the sessions that people ended, by their IDs
	provider provider
}

// New reads the file of access, if there is one.
func New(o Options) (*Guard, error) {
	g := &Guard{unknown: o.Unknown, now: o.Now, key: newKey(), failures: newFailures()}
	if g.now == nil {
		g.now = time.Now
	}
	g.ended = cache.NewLRUExpireCacheWithClock(mostEnded, clock(g.now))
	if o.File == "" {
		return g, nil
	}
	if o.ReadSecret == nil {
		o.ReadSecret = os.ReadFile
	}
	g.reviews = newReviews(o.Reviews, g.now)
	var err error
	g.file, err = open(func() (*settings, error) {
		s, err := readSettings(o.File, o.ReadSecret)
		if err == nil && s.Kubernetes != nil && o.Reviews == nil {
			err = fmt.Errorf("%s: kubernetes: this daemon does not run in a cluster that it could ask", o.File)
		}
		return s, err
	}, func(before, after *settings) bool { return reflect.DeepEqual(before, after) })
	return g, err
}

// Known says whether people can be known here at all.
func (g *Guard) Known() bool { return g.file != nil }

// Refresh reads the file of access again. It says whether something changed; a file with a mistake changes nothing.
func (g *Guard) Refresh() (changed bool, err error) {
	if g.file == nil {
		return false, nil
	}
	return g.file.Refresh()
}

// settings are nil where nobody can log in.
func (g *Guard) settings() *settings {
	if g.file == nil {
		return nil
	}
	return g.file.now()
}

// Admit says who asks, if they have a role. The error is a *Refusal.
func (g *Guard) Admit(r *http.Request, need Role) (Identity, error) {
	if need == Anybody {
		return Identity{}, nil
	}
	who, err := g.identify(r)
	switch {
	case err != nil:
		return who, err
	case who.Role >= need:
		return who, nil
	case need == Nobody:
		return who, refuse(http.StatusForbidden, "nobody may ask for %s", r.URL.Path)
	case who.Name == "" && g.file != nil:
		return who, refuse(http.StatusUnauthorized, "log in: this needs the role %s; send \"Authorization: Bearer TOKEN\", "+
			"or open /login in a browser", need)
	default:
		return who, refuse(http.StatusForbidden, "%s, and this needs the role %s; roles are given in the file of --access", who, need)
	}
}

// identify finds out who asks: by a token, else by a session.
func (g *Guard) identify(r *http.Request) (Identity, error) {
	s := g.settings()
	if s == nil {
		return Identity{Role: g.unknown}, nil
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Identity{}, refuse(http.StatusUnauthorized, "send \"Authorization: Bearer TOKEN\": no other scheme is known")
		}
		return g.bearer(r, s, strings.TrimSpace(token))
	}
	if of, ok := g.session(r); ok {
		if who := s.member(of); who.Role > Anybody {
			return who, nil
		}
	}
	return Identity{Role: g.unknown}, nil
}

// bearer finds the tokenEntry of a token. A client that failed too often is answered without asking anybody else.
func (g *Guard) bearer(r *http.Request, s *settings, token string) (Identity, error) {
	if h := entryOf(s.Tokens, token); h != nil {
		return h.identity(), nil
	}
	if s.Kubernetes != nil && !strings.HasPrefix(token, tokenPrefix) {
		user, known, err := g.reviews.ask(r.Context(), token, s.Kubernetes.Audience, func() bool { return g.failures.mayFail(r) })
		if err != nil {
			return Identity{}, err
		}
		if known {
			return identity(s.Kubernetes.Roles, user.Username, user.Groups), nil
		}
	}
	if !g.failures.add(r) {
		return Identity{}, tooMany()
	}
	return Identity{}, refuse(http.StatusUnauthorized, "this token is not known here: it is wrong, has expired or was taken back")
}

// member is who a session is about, by the settings of now.
func (s *settings) member(of session) Identity {
	if o := s.OIDC; o != nil && of.Source == o.source() {
		who := identity(o.Roles, of.Subject, of.Groups)
		who.Name = of.Name
		return who
	}
	for _, h := range s.Tokens {
		if of.Source == h.SHA256 {
			return h.identity()
		}
	}
	return Identity{}
}
