package e2e_test

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/state"
)

// forgets waits until no environment has a record of a request.
func (l *ladder) forgets(request string) {
	l.t.Helper()
	l.eventually("nothing remembers "+request, func() error {
		for _, environment := range []string{"dev", "staging", "prod"} {
			if r := l.record(environment, request); r != nil {
				return fmt.Errorf("%s has a record of %s; %s", environment, r.Digest, l.why(environment, request))
			}
		}
		return nil
	})
}

// careful has a request whose removal a person confirms, and one whose removal leaves everything where it is.
func careful(team string) files {
	return offering("vault", "deletion: confirm").merged(version("vault", "1.0.0", "1.0.0", ""),
		offering("archive", "deletion: retain"), version("archive", "1.0.0", "1.0.0", ""),
		askFor("vault", "1", team, "keys", "good-1", everywhere), askFor("archive", "1", team, "books", "good-1", everywhere))
}

// carefully removes both: the one waits in every environment until a person approved that there, the other one is let go,
// and nobody cares for it from then on.
func carefully(l *ladder) {
	l.begins("keys", "books")
	l.change("neither of them", askFor("", "", l.team, "keys", "", "").without(), askFor("", "", l.team, "books", "", "").without())
	l.forgets("books")
	for _, cluster := range everyCluster {
		require.Equal(l.t, []string{first}, l.saw(cluster, "books"), "it stays on %s", cluster)
		inventory, err := l.inventory(cluster, "books")
		require.True(l.t, apierrors.IsNotFound(err) || err == nil && len(inventory.Data) == 0, "and is let go: %v", err)
	}
	books := l.widgets.apis["dev"].Namespace(l.team)
	require.NoError(l.t, books.Delete(l.t.Context(), "books-widget", metav1.DeleteOptions{}))
	l.becomes("books", gone, "dev")

	for i, environment := range []string{"dev", "staging", "prod"} {
		l.waits(environment, "keys", "approval", "its removal needs an Approval", "decisions/"+environment)
		for _, cluster := range everyCluster[i:] {
			require.Equal(l.t, []string{first}, l.saw(cluster, "keys"))
		}
		l.admit(environment, "keys", "no-keys")
		for _, cluster := range everyCluster {
			if environmentOf[cluster] == environment {
				l.becomes("keys", gone, cluster)
			}
		}
	}
	l.forgets("keys")
	l.once("keys", everyCluster, first, gone)
	require.Equal(l.t, []string{first, gone}, l.saw("dev", "books"), "nobody brought it back")
}

// dropped takes prod off a request's list, which nothing can prove before, and places it there again; then it takes off the
// environments before prod, which loses nothing by it.
func dropped(l *ladder) {
	l.begins("shop")
	l.change("shop: not in prod", ask(l.team, "shop", "good-1", "{dev: {}, staging: {}}"))
	l.waits("prod", "shop", "approval", "its removal needs an Approval", "decisions/prod")
	require.Equal(l.t, []string{first}, l.saw("prod-1", "shop"))
	l.admit("prod", "shop", "no-shop")
	l.becomes("shop", gone, prodClusters...)

	l.change("shop: everywhere", ask(l.team, "shop", "good-2", everywhere))
	l.becomes("shop", second, everyCluster...)
	l.soaked("shop", second, "staging", 2*time.Second, "prod-1")
	l.records("the rollout in prod is over", "prod", "shop", func(r *state.Release) bool { return r.Promotion.Rollout == nil })

	l.change("shop: in prod alone", ask(l.team, "shop", "good-2", "{prod: {}}"))
	l.becomes("shop", gone, "dev", "staging")
	before, after := l.since("dev", "shop", gone), l.since("staging", "shop", gone)
	require.GreaterOrEqual(l.t, after.at.Sub(before.at), 2*time.Second, "dev was well without it")
	l.records("prod has what asks for prod alone", "prod", "shop", func(r *state.Release) bool { return len(r.Request.Environments) == 1 })
	l.once("shop", []string{"dev", "staging"}, first, second, gone)
	l.once("shop", prodClusters, first, gone, second)
}
