package plan_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

func TestAPlanIsColouredLikeADiff(t *testing.T) {
	change := preview.Change{
		Environment: "prod", Cluster: "east", Team: "store", Request: "shop", Kind: "Deployment", Namespace: "store", Name: "shop-web",
		Action: preview.Changed, Diff: "@@ -1 +1 @@\n same\n-old\n+new\n",
	}
	west := change
	west.Cluster = "west"
	gone := preview.Change{Environment: "prod", Cluster: "east", Team: "store", Kind: "Namespace", Name: "store", Action: preview.Removed}
	left := preview.Change{Environment: "prod", Cluster: "north", Action: preview.LetGo}
	p := plan.Plan{Base: "HEAD", Changes: []preview.Change{change, west, gone, left}}
	p.Environments = []plan.Environment{{Name: "prod", Digest: "sha256:abc", Changing: 1, Requests: 3}}
	var out bytes.Buffer
	p.Text(&out, terminal.Paint{On: true}, false)
	text := out.String()
	for _, want := range []string{"\x1b[31m-old\x1b[0m", "\x1b[32m+new\x1b[0m", "\x1b[2m@@ -1 +1 @@\x1b[0m", "\x1b[31m- Namespace store\x1b[0m"} {
		require.Contains(t, text, want)
	}

	out.Reset()
	p.Text(&out, terminal.Paint{}, false)
	require.Equal(t, `prod  1 of 3 requests
  fleet
    let go, nothing is deleted on north
  store (the team's namespace)
    - Namespace store on east
  store/shop
    ~ Deployment store/shop-web on east, west
        @@ -1 +1 @@
         same
        -old
        +new
plan of prod: sha256:abc
compared with HEAD: objects 0 added, 2 changed, 0 replaced, 1 removed on 3 clusters; 1 cluster let go
`, out.String())
}

// TestTenApprovalsAreShown: a change of a thousand requests prints no thousand lines.
func TestTenApprovalsAreShown(t *testing.T) {
	p := plan.Plan{Base: "HEAD"}
	for n := range 13 {
		p.Waits = append(p.Waits, plan.Wait{
			Environment: "prod", Requests: []platform.RequestKey{{Team: "store", Name: fmt.Sprint("shop-", n)}}, Gate: "approval",
			Reason: "it needs an Approval", Opens: "an Approval", Counts: "with-this-merge",
		})
	}
	var out bytes.Buffer
	p.Text(&out, terminal.Paint{}, false)
	require.Contains(t, out.String(), `waits in prod: store/shop-9: it needs an Approval; opened by an Approval, which may come with this merge
waits in prod: 3 more Approvals, which transom plan -o json lists
`)
	require.NotContains(t, out.String(), "shop-10")
}

func TestWhatWasRejectedIsNotOnItsWay(t *testing.T) {
	shop, cart := platform.RequestKey{Team: "store", Name: "shop"}, platform.RequestKey{Team: "store", Name: "cart"}
	p := plan.Plan{Base: "HEAD", OnTheirWay: plan.Stage{Environments: []plan.Environment{{
		Name: "prod", OnTheirWay: []platform.RequestKey{cart, shop},
		Stuck: []plan.Wait{{Environment: "prod", Requests: []platform.RequestKey{shop}, Gate: "rejected", Reason: "failed on east", Opens: "an Approval"}},
	}}}}
	var out bytes.Buffer
	p.Text(&out, terminal.Paint{}, false)
	require.Equal(t, `already on its way to prod, without this merge: store/cart
merged before, and waits in prod, rejected: store/shop: failed on east; opened by an Approval
compared with HEAD: no changes
`, out.String())
}

func TestEnvironmentsReadInTheOrderOfPromotion(t *testing.T) {
	at := func(environment string) preview.Change {
		return preview.Change{
			Environment: environment, Cluster: "c", Team: "store", Request: "shop", Kind: "ConfigMap", Name: "shop", Action: preview.Added,
		}
	}
	p := plan.Plan{Base: "HEAD", Changes: []preview.Change{at("staging"), at("prod"), at("staging")}}
	var out bytes.Buffer
	p.Text(&out, terminal.Paint{}, false)
	require.Regexp(t, `(?s)^staging\n.*prod\n`, out.String())
}
