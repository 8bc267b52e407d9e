package expression

import (
	"sync/atomic"

	"github.com/google/cel-go/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// A program is a checked expression as CEL runs it. CEL fixes how many steps a program may take when it makes it, so that there is
// one for each of a few numbers, made once somebody evaluates within that.
type program struct {
	env     *cel.Env
	checked *cel.Ast
	made    [levels + 1]atomic.Pointer[cel.Program]
}

// A program is ended after leastSteps, twice as many and so on, or after as many as Kubernetes allows one call.
const (
	leastSteps = int64(500)
	levels     = 10
)

func newProgram(env *cel.Env, checked *cel.Ast) (*program, error) {
	p := &program{env: env, checked: checked}
	_, _, err := p.within(celconfig.PerCallLimit)
	return p, err
}

// within returns the program that takes at least so many steps, and its number.
func (p *program) within(steps int64) (cel.Program, int64, error) {
	n, most := 0, leastSteps
	for n < levels && most < steps {
		n, most = n+1, 2*most
	}
	if n == levels {
		most = celconfig.PerCallLimit
	}
	if made := p.made[n].Load(); made != nil {
		return *made, most, nil
	}
	known := patterns{}
	made, err := p.env.Program(p.checked, cel.CostTracking(&costs{known: known}), trackers(), cel.CostLimit(uint64(most)),
		cel.CustomDecoratorV2(bounded), cel.CustomDecoratorV2(known.bound), cel.CustomDecoratorV2(sortRanges(p.checked.NativeRep())))
	if err == nil {
		p.made[n].Store(&made)
	}
	return made, most, err
}
