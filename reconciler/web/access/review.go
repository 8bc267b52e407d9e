package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
)

// The bounds of asking a cluster whose tokens are.
const (
	reviewTime    = 5 * time.Second
	knownTime     = 30 * time.Second // how long a token that was taken back may go on
	unknownTime   = 10 * time.Second
	mostReviewed  = 1000
	mostReviewing = 4
	mostToken     = 16 << 10
)

// reviews ask a cluster whose tokens are, and remember the answers for a moment, by the digests of the tokens.
type reviews struct {
	to      Reviewer
	answers *cache.LRUExpireCache
	turns   chan struct{}
	flights singleflight.Group
}

// The cache asks for the time by a method.
type clock func() time.Time

// Now is part of cache.Clock.
func (c clock) Now() time.Time { return c() }

func newReviews(to Reviewer, now func() time.Time) *reviews {
	return &reviews{
		to: to, answers: cache.NewLRUExpireCacheWithClock(mostReviewed, clock(now)), turns: make(chan struct{}, mostReviewing),
	}
}

// ask says whose a token for an audience is. Nobody is asked about a text that cannot be a token of a cluster, nor about
// a token of a client that may not fail any more.
func (v *reviews) ask(ctx context.Context, token, audience string, may func() bool) (authentication.UserInfo, bool, error) {
	if strings.Count(token, ".") != 2 || len(token) > mostToken {
		return authentication.UserInfo{}, false, nil
	}
	digest := sha256.Sum256([]byte(audience + " " + token))
	answer, ok := v.answers.Get(digest)
	if !ok {
		if !may() {
			return authentication.UserInfo{}, false, tooMany()
		}
		// The answer is for all who ask for the same token at once: none of them ends the question by going away.
		var err error
		answer, err, _ = v.flights.Do(string(digest[:]), func() (any, error) {
			return v.review(context.WithoutCancel(ctx), digest, token, audience)
		})
		if err != nil {
			return authentication.UserInfo{}, false, err
		}
	}
	status := answer.(*authentication.TokenReviewStatus)
	known := status.Authenticated && slices.Contains(status.Audiences, audience)
	return status.User, known, nil
}

// review asks the cluster, when it is this question's turn, and remembers the answer.
func (v *reviews) review(ctx context.Context, digest [sha256.Size]byte, token, audience string) (*authentication.TokenReviewStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return nil, refuse(http.StatusServiceUnavailable, "too many ask for their tokens to be reviewed: try again")
	}
	review, err := v.to.Create(ctx, &authentication.TokenReview{
		Spec: authentication.TokenReviewSpec{Token: token, Audiences: []string{audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, refuse(http.StatusServiceUnavailable, "the cluster cannot be asked whose this token is: %v", WithoutAddress(err))
	}
	if review.Status.Authenticated {
		v.answers.Add(digest, &review.Status, knownTime)
	} else {
		v.answers.Add(digest, &review.Status, unknownTime)
	}
	return &review.Status, nil
}

// WithoutAddress is an error of the network without the address of whoever was asked: the answer may go to somebody who has not logged in.
func WithoutAddress(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
