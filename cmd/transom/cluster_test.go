package main

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// TestClusterListShowsHowClustersAreReached, each once, and exits with 1 where a person has to see to one.
func TestClusterListShowsHowClustersAreReached(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	b := status.NewBoard(func() time.Time { return at })
	for _, environment := range []string{"dev", "test"} {
		b.Reconciled(status.Environment{Name: environment, Clusters: []status.Cluster{{Name: "east", State: "active"}, {Name: "west", State: "active"}}}, nil)
	}
	east := status.Cluster{
		Name: "east", UID: "u-1", Reachable: true, Version: "v1.36.3",
		Credential: status.Credential{Source: "east.kubeconfig", User: "system:serviceaccount:transom-system:transom", Expires: at.AddDate(1000, 0, 0)},
	}
	b.ClusterSeen(east)
	b.ClusterSeen(status.Cluster{Name: "west", Message: "connection refused"})
	server := httptest.NewServer(web.Handler(web.Options{Board: b}))
	t.Cleanup(server.Close)
	ask := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"cluster", "list", "--server", server.URL}, args...), strings.NewReader(""), &out, &out)
		return out.String(), err
	}
	text, err := ask()
	require.Equal(t, unwell, err)
	require.Equal(t, `CLUSTER  REACHABLE  SINCE             VERSION  USER                                          EXPIRES           IDENTITY  ENVIRONMENTS
east     yes        2026-11-29 12:00  v1.36.3  system:serviceaccount:transom-system:transom  3026-11-29 12:00  u-1       dev, test
west     no         2026-11-29 12:00  -        -                                             -                 -         dev, test
west: connection refused
`, text)

	b.ClusterSeen(status.Cluster{Name: "west", Reachable: true})
	text, err = ask("-o", "json")
	require.NoError(t, err)
	require.Contains(t, text, `"expires": "3026-11-29T12:00:00Z"`)
	east.Credential.Warning = "the credential in east.kubeconfig expires soon"
	b.ClusterSeen(east)
	text, err = ask()
	require.Equal(t, unwell, err)
	require.Contains(t, text, "east: the credential in east.kubeconfig expires soon\n")
}
