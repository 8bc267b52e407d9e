package expression_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/expression"
)

func TestHealthExpressionsReadTheObject(t *testing.T) {
	e, err := expression.Compile(`kind == "Cluster" && metadata.namespace == "a" && status.ready == spec.instances`, expression.ObjectScope(), expression.Bool)
	require.NoError(t, err)
	object := map[string]any{
		"apiVersion": "x/v1", "kind": "Cluster", "metadata": map[string]any{"namespace": "a"},
		"spec": map[string]any{"instances": int64(3)}, "status": map[string]any{"ready": int64(3)}, "other": "ignored",
	}
	healthy, err := e.Eval(object)
	require.NoError(t, err)
	require.Equal(t, true, healthy)
}

func TestMissingKeysAreToldFromOtherErrors(t *testing.T) {
	for source, missing := range map[string]bool{
		`status.ready`:                                true, // no status at all
		`metadata.labels.tier == "x"`:                 true,
		`metadata.labels["tier"] == "x"`:              true,
		`spec.list[3] == 1`:                           true,
		`spec.conditions.filter(c, true)[0].ok`:       true,
		`spec.name > 3`:                               false,
		`spec.list[0] / 0 == 1`:                       false,
		`spec.name.matches(spec.pattern)`:             false,
		`has(status.ready) && status.ready`:           false,
		`status.conditions.exists(c, c.type == "R1")`: true,
	} {
		e, err := expression.Compile(source, expression.ObjectScope(), expression.Bool)
		require.NoError(t, err, source)
		_, err = e.Eval(map[string]any{"metadata": map[string]any{"labels": map[string]any{}}, "spec": map[string]any{
			"list": []any{int64(1)}, "name": "x", "pattern": "(", "conditions": []any{},
		}})
		require.Equal(t, missing, expression.IsNoSuchKey(err), "%s: %v", source, err)
	}
}

func TestHealthMustBeBoolean(t *testing.T) {
	_, err := expression.Compile(`"yes"`, expression.ObjectScope(), expression.Bool)
	require.EqualError(t, err, "must result in bool, not in string")
	_, err = expression.Compile(`sttus.ready`, expression.ObjectScope(), expression.Bool)
	require.ErrorContains(t, err, `did you mean "status"?`)
	_, err = expression.Compile(`parameters.ready`, expression.ObjectScope(), expression.Bool)
	require.ErrorContains(t, err, `there is no "parameters" here`)
}

// TestATallyEndsSoon: an expression of some 500,000 steps that may take a few is ended after a few, and nothing is evaluated after it.
func TestATallyEndsSoon(t *testing.T) {
	e, err := expression.Compile(strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 5)+`kind != ""`+strings.Repeat(")", 5), expression.ObjectScope(), expression.Bool)
	require.NoError(t, err)
	object := map[string]any{"kind": "Thing"}
	for most, spent := range map[int64]int64{700: 1_000, 1_000: 1_000, 1_001: 2_000, 50_000: 64_000} {
		tally := expression.Tally{Most: expression.Allowance{Steps: most, Size: 1000}}
		for range 2 {
			_, err = tally.Evaluate(e, object)
			require.ErrorContains(t, err, fmt.Sprintf("more than %d steps of CEL", most))
			require.LessOrEqual(t, tally.Spent.Cost, spent+1)
		}
		require.True(t, tally.Over())
	}
	tally := expression.Tally{Most: expression.All}
	value, err := tally.Evaluate(e, object)
	require.NoError(t, err)
	require.Equal(t, true, value)
	require.Greater(t, tally.Spent.Cost, int64(300_000))
}

// TestAResultIsANumberOfJSON or an error that says so: infinities have no form there, and a whole number does not turn into another.
func TestAResultIsANumberOfJSON(t *testing.T) {
	for source, says := range map[string]string{
		"1.0 / 0.0":                       "results in +Inf, which is no number in JSON",
		"-1.0 / 0.0":                      "results in -Inf, which is no number in JSON",
		"0.0 / 0.0":                       "results in NaN, which is no number in JSON",
		"[1.0 / 0.0]":                     "results in +Inf, which is no number in JSON",
		"18446744073709551615u":           "results in 18446744073709551615; whole numbers are at most 9223372036854775807",
		"[{\"a\": 9223372036854775808u}]": "results in 9223372036854775808; whole numbers are at most 9223372036854775807",
	} {
		e, err := expression.Compile(source, expression.NewScope(), expression.Any)
		require.NoError(t, err, source)
		_, err = e.Eval(nil)
		require.EqualError(t, err, says, source)
	}
}
