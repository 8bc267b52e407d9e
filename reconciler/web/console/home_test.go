package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// TestHomeTellsPeopleWhatTheyMayApprove: whichever team it is about, and what waits for others of their own teams, with who may.
func TestHomeTellsPeopleWhatTheyMayApprove(t *testing.T) {
	b := status.NewBoard(time.Now)
	var all []status.Instance
	for _, team := range []string{"payments", "search", "store"} {
		all = append(all, status.Instance{
			Environment: "prod", Request: platform.RequestKey{Team: team, Name: "shop"}, Offering: "web",
			Candidate: &status.Candidate{Release: "sha256:b", Version: "1.3.0", Changes: []platform.Difference{{Field: "parameters.image", Before: team + ":1", After: team + ":2"}}},
			Waiting:   []status.Gate{{Name: "approval", Reason: "nobody approved it", Opens: "merge an Approval"}},
		})
	}
	b.Reconciled(status.Environment{Name: "prod"}, all)
	// The owners of decisions about payments and search are platform's.
	approves := func(teams ...string) func(file, team string) (bool, bool, []string) {
		return func(file, team string) (may, named bool, owners []string) {
			require.Equal(t, "decisions/prod/"+team+"-shop.yaml", file)
			if team == "store" {
				return slices.Contains(teams, team), false, nil
			}
			may = slices.Contains(teams, "platform")
			return may, may, []string{"@acme/platform"}
		}
	}
	lists := func(who console.Person, address string) (mine, others string) {
		_, body := serve(console.Options{Board: b, Person: func(*http.Request) console.Person { return who }})(t, address)
		_, body, _ = strings.Cut(body, `<h2 id="waits">`)
		body, _, _ = strings.Cut(body, `</section>`)
		mine, others, _ = strings.Cut(body, `<h2 id="others">`)
		return mine, others
	}
	told := func(list string) (of []string) {
		for _, team := range []string{"payments", "search", "store"} {
			if strings.Contains(list, team+"/shop") {
				require.Contains(t, list, team+":2", "with what it changes")
				of = append(of, team)
			}
		}
		return of
	}
	for _, c := range []struct {
		teams, mine, others []string
		address, title      string
	}{
		{[]string{"platform"}, []string{"payments", "search"}, nil, "/", "Waits for you"},
		{[]string{"platform"}, []string{"search"}, nil, "/?team=search", "Waits for you"},
		{[]string{"payments"}, nil, []string{"payments"}, "/", "Nothing waits for you."},
		{[]string{"payments", "store"}, []string{"store"}, []string{"payments"}, "/", "Waits for you"},
	} {
		mine, others := lists(console.Person{Name: "Somebody", Role: "developer", Teams: c.teams, Approves: approves(c.teams...)}, c.address)
		require.Contains(t, mine, c.title)
		require.Equal(t, c.mine, told(mine), c.teams)
		require.Equal(t, c.others, told(others), c.teams)
		require.Equal(t, c.others != nil, strings.Contains(others, "for @acme/platform"))
		require.NotContains(t, mine, "for @acme/platform")
	}
	mine, others := lists(console.Person{}, "/")
	require.Contains(t, mine, "Waits for somebody")
	require.Equal(t, []string{"payments", "search", "store"}, told(mine))
	require.Empty(t, others)
}

// TestHomeIsOnesOwnWhereOneMayApproveAlone: two of a role and teams share it else.
func TestHomeIsOnesOwnWhereOneMayApproveAlone(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Reconciled(status.Environment{Name: "prod", Plan: "sha256:c"}, nil)
	person := console.Person{}
	ask := serve(console.Options{Board: b, Person: func(*http.Request) console.Person { return person }})
	for _, name := range []string{"One", "Two", "One"} {
		person = console.Person{Name: name, Role: "developer", Apart: true, Approves: func(string, string) (bool, bool, []string) {
			return name == "One", name == "One", []string{"@One"}
		}}
		_, body := ask(t, "/")
		require.Equal(t, name == "Two", strings.Contains(body, "Nothing waits for you."), name)
	}
}
