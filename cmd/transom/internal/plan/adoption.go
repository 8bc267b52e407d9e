package plan

import (
	"fmt"
	"io"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
)

// An Adoption is the answer of a cluster about taking over objects that exist there for an instance, and about what was set by hand there.
type Adoption struct {
	Environment string   `json:"environment"`
	Cluster     string   `json:"cluster"`
	Team        string   `json:"team,omitempty"`
	Request     string   `json:"request,omitempty"`
	Digest      string   `json:"digest,omitempty"` // that an Approval names; empty: it waits for none
	Effects     []string `json:"effects,omitempty"`
	Resumes     []string `json:"resumes,omitempty"`   // objects that were kept when the request was removed, and are its again
	Untried     []string `json:"untried,omitempty"`   // objects that the API server could not be asked about
	TakesBack   []string `json:"takesBack,omitempty"` // fields that were set by hand, and go where the environment is strict
	Problems    []string `json:"problems,omitempty"`
}

// where says which instance an adoption is of.
func (a Adoption) where() string {
	if a.Request == "" {
		return fmt.Sprintf("%s on %s", a.Environment, a.Cluster)
	}
	return fmt.Sprintf("%s/%s in %s on %s", a.Team, a.Request, a.Environment, a.Cluster)
}

// lines tell of an adoption: whether it waits, and for which file.
func (a Adoption) lines() (lines []string) {
	switch {
	case len(a.Problems) > 0:
		lines = append(lines, "the adoption of "+a.where()+" would be refused, and nothing be written:")
	case a.Digest != "":
		lines = append(lines, fmt.Sprintf("the adoption of %s waits for an Approval in decisions/%s of {adoption: %s}:", a.where(), a.Environment, a.Digest))
	case len(a.Resumes) > 0:
		lines = append(lines, "caution: "+a.where()+" does not begin anew:")
	case len(a.TakesBack) > 0:
		lines = append(lines, "caution: drift: strict takes back what was set by hand on "+a.where()+":")
	default:
		lines = append(lines, "the adoption of "+a.where()+" takes nothing from what is there")
	}
	for _, list := range [][]string{a.Problems, a.Resumes, a.Effects, a.Untried, a.TakesBack} {
		for _, line := range list {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

// adoptions prints the answers of clusters.
func (p *Plan) adoptions(w io.Writer, paint terminal.Paint) {
	for _, a := range p.Adoptions {
		lines := a.lines()
		if a.Digest != "" || len(a.Problems) > 0 {
			lines[0] = paint.Red("caution: ") + lines[0]
		}
		fmt.Fprintln(w, strings.Join(lines, "\n"))
	}
}
