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
	o := &s.Options
	c := console.Options{Board: o.Board, Person: func(r *http.Request) console.Person {
		who := access.Of(r.Context())
		as := approver{who, o.Owners}
		return console.Person{
			Name: who.Name, Role: fmt.Sprint(who.Role), Teams: who.Teams, CanLogIn: o.Access.Known(), In: who.In, Approves: as.approves, Apart: as.isNamed(),
		}
	}}
	c.GiveWay = func() { s.passes.wait(nil, courtesyTime, courtesyTime) }
	if o.Runtime != nil {
		c.See = (&liveReader{s}).see
	}
	if o.Manifests != nil {
		c.Open = (&liveReader{s}).openManifests
	}
	if o.Journal != nil {
		c.Activity, c.Commit = journaling{s}.showActivity, o.Journal.Find
	}
	c.Edit, c.Sample = o.Edit, o.Sample
	if o.Changes != nil {
		c.Changes = comparing{s}.changesFor
	}
	if o.Plans != nil {
		c.Plan, c.PlanDraft = planning{s}.showPlan, planning{s}.planDraft
	}
	if o.Leader != nil {
		c.Leader = func() string { return o.Leader().Name }
	}
	if o.Explain != nil {
		c.Origin = func(ctx context.Context, environment string, request platform.RequestKey) ([]console.Rung, error) {
			trace, err := o.Explain(ctx, Question{Environment: environment, Request: request})
			return rungs(trace), err
		}
	}
	if o.Past != nil {
		c.History = func(ctx context.Context, environment string, request platform.RequestKey) ([]console.Past, error) {
			return o.Past(ctx, Question{Environment: environment, Request: request})
		}
	}
	return console.New(c)
}

// rungs are the steps of a trace that are known.
func rungs(trace Trace) []console.Rung {
	var all []console.Rung
	for _, one := range []struct {
		title string
		Origin
	}{{"State", trace.State}, {"Platform", trace.Platform}, {"Request", trace.RequestFile}, {"Version", trace.Version}} {
		if one.Commit != "" {
			all = append(all, console.Rung{
				Title: one.title, Commit: one.Commit, File: one.File, Line: one.Line, Author: one.Author, When: one.When, Subject: one.Subject,
			})
		}
	}
	return all
}
