package platform

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// maxQuotas bounds the cost of counting one request, together with the cost limit of each expression.
const maxQuotas = 10

// A Quota bounds the amounts of several requests of one environment together.
type Quota struct {
	Each    string                 // team, offering or environment: the requests of one are counted together
	Amount  *expression.Expression // of one request; nil: each counts as one
	Most    resource.Quantity
	Message string
}

type quotaSpec struct {
	Each    string `oneof:"team|offering|environment"`
	Amount  string
	Most    any    `decode:"required"`
	Message string `decode:"required" is:"prose"`
}

// readQuotas reads the quotas of a policy, which then has no validations.
func readQuotas(d *document, p *Policy, quotas []quotaSpec, validations int) {
	switch {
	case len(quotas) == 0 && validations == 0:
		d.problem("spec", "required", "has no validations and no quotas, so it judges nothing; write some of either")
	case len(quotas) > 0 && validations > 0:
		d.problem("spec.quotas", "value", "quotas count requests, and validations judge objects; make two policies of it")
	case len(quotas) > 0 && len(p.Kinds) > 0:
		d.problem("spec.match.kinds", "value", "quotas count requests, which are of no kind; match offerings instead")
	case validations > 0 && len(p.Offerings) > 0:
		d.problem("spec.match.offerings", "value", "offerings are matched by quotas only; match kinds instead")
	case len(quotas) > maxQuotas:
		d.problem("spec.quotas", "too-many", "has %d quotas and may have %d; split the policy", len(quotas), maxQuotas)
	}
	for i, s := range quotas {
		field := fieldpath.Index("spec.quotas", i)
		q := &Quota{Each: orTeam(s.Each), Message: s.Message}
		if s.Amount != "" {
			q.Amount = d.compileExpression(field+".amount", field, s.Amount, quotaScope(), expression.Any)
			checkConstant(d, field+".amount", q.Amount)
		}
		missing := slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Field == field+".message" })
		if strings.TrimSpace(s.Message) == "" && !missing {
			d.warn(field+".message", "value", "is empty; say what whoever is refused can do")
			q.Message = "ask for less, or ask whoever keeps " + p.File
		}
		var err error
		if q.Most, err = amountOf(s.Most); err != nil {
			d.problem(field+".most", "value", "%s", err)
		}
		p.Quotas = append(p.Quotas, q)
	}
}

// checkConstant finds an amount that is the same for every request, and none: no request could be counted.
func checkConstant(d *document, field string, amount *expression.Expression) {
	if amount == nil {
		return
	}
	value, err := amount.Eval(map[string]any{})
	if err != nil {
		return // it depends on a request
	}
	if _, err := amountOf(value); err != nil {
		d.problem(field, "value", "%s", err)
	}
}

func orTeam(each string) string {
	if each == "" {
		return "team"
	}
	return each
}

// quotaScope has the variables of an amount: those of a request in an environment, wherever it is placed.
func quotaScope() *expression.Scope {
	s := expression.NewScope()
	s.Declare("request", s.Object("request", map[string]*expression.Type{"name": expression.String, "team": expression.String}))
	s.Declare("parameters", expression.AnyMap)
	s.Declare("environment", s.Object("environment", map[string]*expression.Type{"name": expression.String, "values": expression.AnyMap}))
	return s
}

// Counts reports whether the requests of an offering are counted against the policy's quotas.
func (p *Policy) Counts(offering string) bool {
	return len(p.Offerings) == 0 || slices.Contains(p.Offerings, offering)
}

// Group names the requests that one of a team and an offering is counted together with; for people, too.
func (q *Quota) Group(team, offering, environment string) string {
	switch q.Each {
	case "team":
		return "team " + team + " in " + environment
	case "offering":
		return "offering " + offering + " in " + environment
	}
	return "environment " + environment
}

// Of is the amount of an instance, whose expression may cost so much.
func (q *Quota) Of(i *Instance, most expression.Allowance) (amount resource.Quantity, err error) {
	if q.Amount == nil {
		return *resource.NewQuantity(1, resource.DecimalSI), nil
	}
	in := Inputs{
		Request: inputsRequest{Name: i.Request.Key.Name, Team: i.Request.Key.Team}, Parameters: i.Parameters,
		Environment: inputsEnvironment{Name: i.Environment.Name, Values: i.Environment.Values},
	}
	t := expression.Tally{Most: most}
	value, err := t.Evaluate(q.Amount, in.Map())
	if t.Over() {
		err = fmt.Errorf("%w, as much as the amount of each request in %s may cost by how many there are; let it do less", err, i.Environment.Name)
	}
	if err == nil {
		amount, err = amountOf(value)
	}
	if err != nil {
		return amount, fmt.Errorf("%s: %w", wording.Shorten(oneLine(q.Amount.Source)), err)
	}
	return amount, nil
}

// Uncounted is the Problem of a request whose amount cannot be evaluated.
func (q *Quota) Uncounted(k RequestKey, err error) Problem {
	return problemAt(q.Amount, "quota", fmt.Sprintf("cannot count %s: %s; mend the expression, so that it results in an amount for every request", k, err))
}

// plainAmount is bounded in length, and has no exponent.
var plainAmount = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,9})?([KMGTPE]i|[kMGTPEm])?$`)

// amountOf reads a number, or a quantity of Kubernetes.
func amountOf(value any) (resource.Quantity, error) {
	text := ""
	switch value := value.(type) {
	case string:
		text = value
	case int:
		text = strconv.Itoa(value)
	case int64:
		text = strconv.FormatInt(value, 10)
	case float64:
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if !plainAmount.MatchString(text) {
		return resource.Quantity{}, fmt.Errorf("must be an amount such as 5, 0.5 or 200Gi, not %s", wording.Value(value))
	}
	return resource.ParseQuantity(text)
}
