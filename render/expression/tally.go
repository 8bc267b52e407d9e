package expression

import (
	"fmt"
	"math/bits"

	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// A Spending is the cost of evaluations: the steps that CEL counts, and the bytes of the results as JSON with the fields and items in
// them.
type Spending struct{ Cost, Bytes, Nodes int64 }

// nodeSize is about how many bytes of memory a field or item takes beside its text.
const nodeSize = 64

// Size is about how many bytes of memory the results take.
func (s Spending) Size() int64 { return s.Bytes + nodeSize*s.Nodes }

// An Allowance is how much expressions may cost: in steps of CEL, and in bytes of memory as Size counts them.
type Allowance struct{ Steps, Size int64 }

// All is as much as the expressions of one instance may cost wherever it is.
var All = Allowance{celconfig.RuntimeCELCostBudget, MaxTogether + nodeSize*MaxItems*MaxTogether/MaxValue}

// Times returns a multiple of an allowance, at most All.
func (a Allowance) Times(n int64) Allowance {
	return Allowance{min(n*a.Steps, All.Steps), min(n*a.Size, All.Size)}
}

// Exceeded says how expressions cost more than an allowance; empty: they do not.
func (a Allowance) Exceeded(s Spending) string {
	switch {
	case s.Cost > a.Steps:
		return fmt.Sprintf("more than %d steps of CEL", a.Steps)
	case s.Size() > a.Size:
		return fmt.Sprintf("more than %d bytes of memory, where each field and item counts as %d", a.Size, nodeSize)
	}
	return ""
}

// A Tally adds up the cost of expressions that are evaluated one after the other, and ends them where they cost more than they may
// together.
type Tally struct {
	Most  Allowance
	Spent Spending

	Heaviest *Expression // of those that were evaluated
	heaviest int64
}

// Evaluate evaluates an expression within what remains. Once that is spent nothing more is evaluated.
func (t *Tally) Evaluate(e *Expression, vars map[string]any) (any, error) {
	if t.Over() {
		return nil, fmt.Errorf("is not evaluated: the expressions before it cost %s", t.Most.Exceeded(t.Spent))
	}
	with := ""
	if t.Heaviest != nil {
		with = " together with the ones before it"
	}
	value, spent, err := e.evaluate(vars, t.Most.Steps-t.Spent.Cost)
	t.Spent = Spending{t.Spent.Cost + spent.Cost, t.Spent.Bytes + spent.Bytes, t.Spent.Nodes + spent.Nodes}
	if weight := spent.Cost + spent.Size(); t.Heaviest == nil || weight > t.heaviest {
		t.Heaviest, t.heaviest = e, weight
	}
	switch {
	case err != nil && !t.Over():
		return nil, err
	case t.Spent.Bytes > MaxTogether:
		return nil, fmt.Errorf("results in %d bytes%s; all may come to %d", t.Spent.Bytes, with, MaxTogether)
	case t.Over():
		return nil, fmt.Errorf("costs %s%s", t.Most.Exceeded(t.Spent), with)
	}
	return value, nil
}

// Over reports whether the expressions cost more than they may.
func (t *Tally) Over() bool { return t.Spent.Bytes > MaxTogether || t.Most.Exceeded(t.Spent) != "" }

// RoundUp is the power of two that is not less than a number. Allowances by the number of requests go by it, so that one request more changes
// nothing.
func RoundUp(n int) int {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len(uint(n-1))
}
