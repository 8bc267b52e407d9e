package console

import (
	"html/template"
	"net/http"
	"strings"

	"transom.dev/reconciler/web/api"
)

// A PlanOfBranch has the changes that merging a branch would make, and the branches that there are.
type PlanOfBranch struct {
	Branches []api.Branch
	Plan     api.Plan
	HTML     template.HTML // its text, made safe
}

// A PlanOfDraft has the changes that a file would make which nobody committed yet.
type PlanOfDraft struct {
	Plan api.Plan
	HTML template.HTML // its text, made safe
	Why  string        // there is none; empty: there is, or it is being made
	Old  bool          // the platform or a state moved since
}

// CanBeNewer says whether a plan that is asked for again may be another one.
func (p PlanOfDraft) CanBeNewer() bool {
	return p.Why != "" || !p.Plan.Making && (p.Old || p.Plan.Failed)
}

// ofBranches serves the page about plans of branches.
type ofBranches struct{ *Console }

// plans is the page of the plan of a branch, or of the choice of one.
func (c ofBranches) plans(r *http.Request, _ *model) (*view, error) {
	if c.Plan == nil {
		return nil, missing("This daemon makes no plans; \"transom plan\" in a clone of the platform repository does.")
	}
	page, err := c.Plan(r, r.URL.Query().Get("branch"))
	if err != nil {
		return nil, err
	}
	return &view{template: "plans", title: "Plan of a branch", section: "plans", main: page}, nil
}

func (p PlanOfBranch) isUnfinished() bool { return p.Plan.Making }

// Differences is a block of text as HTML, with a class for the lines of a diff.
func Differences(text string, diff bool) string {
	var out strings.Builder
	out.WriteString(`<pre class="diff" tabindex="0">`)
	for _, line := range diffLines(text) {
		if !diff {
			line.Class = ""
		}
		out.WriteString(`<span class="` + line.Class + `">` + template.HTMLEscapeString(line.Text) + "\n</span>")
	}
	return out.String() + "</pre>\n"
}
