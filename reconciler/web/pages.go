package web

import (
	"context"
	"fmt"
	"net/http"

	"transom.dev/reconciler/web/access"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// pages is the console of a server.
func pages(s *server) *console.Console {
	o := console.Options{Board: s.Board, Platform: s.Platform, Person: s.looker}
	if s.Explain != nil {
		o.Origin = s.origin
	}
	if s.Past != nil {
		o.History = func(ctx context.Context, environment string, request platform.RequestKey) ([]console.Past, error) {
			return s.Past(ctx, Question{Environment: environment, Request: request})
		}
	}
	return console.New(o)
}

// looker is who looks at a page.
func (s *server) looker(r *http.Request) console.Person {
	who := access.Of(r.Context())
	return console.Person{Name: who.Name, Role: fmt.Sprint(who.Role), Teams: who.Teams, CanLogIn: s.Access.Known()}
}

// origin leads from the manifests of an instance to the commit that last changed its request.
func (s *server) origin(ctx context.Context, environment string, request platform.RequestKey) ([]console.Rung, error) {
	trace, err := s.Explain(ctx, Question{Environment: environment, Request: request})
	if err != nil {
		return nil, err
	}
	var rungs []console.Rung
	for _, one := range []struct {
		title string
		Origin
	}{{"State", trace.State}, {"Platform", trace.Platform}, {"Request", trace.RequestFile}, {"Version", trace.Version}} {
		if one.Commit != "" {
			rungs = append(rungs, console.Rung{
				Title: one.title, Commit: one.Commit, File: one.File, Line: one.Line, Author: one.Author, When: one.When, Subject: one.Subject,
			})
		}
	}
	return rungs, nil
}
