package platform_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/semver/v3"
	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// misled is a platform of so many offerings, and of so many requests that all name one that there is not.
func misled(t testing.TB, offerings, requests int) fstest.MapFS {
	fsys := large(t, 1)
	for n := range offerings {
		name := fmt.Sprintf("nothinx%03d", n)
		fsys["offerings/"+name+"/offering.yaml"] = &fstest.MapFile{Data: []byte(
			"apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: " + name + "}\nspec: {title: Some, description: Some., owner: platform}\n")}
	}
	for n := range requests {
		name := fmt.Sprintf("r%03d", n)
		fsys["requests/payments/"+name+".yaml"] = &fstest.MapFile{Data: []byte(
			"apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\nspec: {offering: nothing000, version: \"1\", environments: {dev: {}}}\n")}
	}
	return fsys
}

// To find what a name was probably meant to be takes as long as there are names. Very many requests that make one mistake do so once.
func TestAMistakeOfManyRequestsIsComparedWithAllNamesOnce(t *testing.T) {
	of := func(offerings, requests int) float64 {
		fsys := misled(t, offerings, requests)
		return testing.AllocsPerRun(3, func() {
			p, err := platform.Load(fsys)
			require.NoError(t, err)
			require.Contains(t, lines(p.Problems), `no offering "nothing000"; did you mean "nothinx000"?`)
		})
	}
	each := func(offerings int) float64 { return (of(offerings, 80) - of(offerings, 40)) / 40 }
	few, many := each(2), each(200)
	require.Less(t, many, few+100, "allocations of one more request")
}

func TestConstraintsAreTakenAsTheParserTakesThem(t *testing.T) {
	for _, constraint := range []string{
		"0", "1", "10", "1.2", "1.2.3", "0.0.0", "1.2.3.4", "01", "1.02", "1.2.03", "1.", ".1", "1..2", "1a", "x", "1.x", "~1.2", ">=1, <2", " 1", "-1",
		"999999999", "1234567890", "99999999999999999999", "1.99999999999999999999",
	} {
		_, wrong := semver.NewConstraint(constraint)
		p, err := platform.Load(with(t, map[string]string{
			"requests/payments/orders-db.yaml": strings.Replace(request("{storage: 10Gi}"), `"1.5"`, fmt.Sprintf("%q", constraint), 1),
		}))
		require.NoError(t, err)
		said := strings.Contains(lines(p.Problems), "is no version constraint")
		require.Equal(t, wrong != nil, said, "%q: %s", constraint, lines(p.Problems))
	}
}
