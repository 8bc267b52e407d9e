// Command issuer is an OpenID provider for tests: the example provider of zitadel/oidc, with groups and with keys that rotate.
//
// In come the client's secret and redirect URL. Out comes "ready URL" once it answers. It listens on localhost only, knows the users
// of the example, whose password is "verysecure", and ends when its input ends.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	redirect := flag.String("redirect", "", "where people are sent back to")
	secret := flag.String("secret", "secret", "of the client, whose name is transom")
	flag.Parse()
	if err := run(*redirect, *secret); err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		os.Exit(1)
	}
}

func run(redirect, secret string) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		return err
	}
	issuer := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	storage.RegisterClients(storage.WebClient("transom", secret, redirect))
	store := &rotating{Storage: storage.NewStorage(storage.NewUserStore(issuer))}
	if err := store.rotate(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", exampleop.SetupServer(issuer, store, nil, false))
	mux.HandleFunc("POST /rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := store.rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = listener.Close()
	}()
	fmt.Println("ready", issuer)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	_ = server.Serve(listener) // it ends with the listener
	return nil
}

// rotating is the example's storage with groups, and with a key that can be replaced.
type rotating struct {
	*storage.Storage

	mu  sync.Mutex
	key *signingKey
}

func (r *rotating) rotate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key = &signingKey{rand.Text(), key}
	return nil
}

// SigningKey is part of op.Storage.
func (r *rotating) SigningKey(context.Context) (op.SigningKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.key, nil
}

// KeySet is part of op.Storage: only the newest key is good.
func (r *rotating) KeySet(context.Context) ([]op.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []op.Key{publicKey{r.key}}, nil
}

// GetClientByClientID is part of op.Storage.
func (r *rotating) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := r.Storage.GetClientByClientID(ctx, id)
	return client{c}, err
}

// SetUserinfoFromRequest says in the ID token that the first user is of the platform's group.
func (r *rotating) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	if token.GetSubject() == "id1" {
		info.AppendClaims("groups", []string{"platform", "others"})
	}
	return r.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
}

// SetUserinfoFromToken says, to who asks for more than the ID token has, that the second user is of the payments' group.
func (r *rotating) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	if subject == "id2" {
		info.AppendClaims("groups", []string{"payments"})
	}
	return r.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
}

// client may ask for groups.
type client struct{ op.Client }

// IsScopeAllowed is part of op.Client.
func (client) IsScopeAllowed(scope string) bool { return scope == "groups" }

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

// ID is part of op.SigningKey.
func (k *signingKey) ID() string { return k.id }

// Key is part of op.SigningKey.
func (k *signingKey) Key() any { return k.key }

// SignatureAlgorithm is part of op.SigningKey.
func (*signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

type publicKey struct{ *signingKey }

// Algorithm is part of op.Key.
func (publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Use is part of op.Key.
func (publicKey) Use() string { return "sig" }

// Key is part of op.Key.
func (k publicKey) Key() any { return &k.key.PublicKey }
