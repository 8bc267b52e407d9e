package web_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// documented are the metrics of the page for operators: "type labels" by name.
func documented(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("../../cmd/transom/docs/metrics.md")
	require.NoError(t, err)
	table := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(transom_\\w+)` \\| (\\w+) \\| ([^|]*?) ?\\|").FindAllStringSubmatch(string(content), -1) {
		labels := strings.FieldsFunc(row[3], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		table[row[1]] = row[2] + " " + strings.Join(labels, ",")
	}
	return table
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (transom_\w+) (\w+)$`)
	labelNames = regexp.MustCompile(`(\w+)="`)
)

// exposed are the metrics of an answer of /metrics, as documented has them.
func exposed(t *testing.T, body string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, metric := range typeLine.FindAllStringSubmatch(body, -1) {
		series := regexp.MustCompile(`(?m)^` + metric[1] + `(?:_sum)?(?:\{(.*)\})? \S+$`).FindStringSubmatch(body)
		require.NotEmpty(t, series, metric[1])
		var labels []string
		for _, label := range labelNames.FindAllStringSubmatch(series[1], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		found[metric[1]] = metric[2] + " " + strings.Join(labels, ",")
	}
	return found
}

// TestEveryMetricIsInTheTable of the page for operators, with its type and its labels, and the table has no other.
func TestEveryMetricIsInTheTable(t *testing.T) {
	figures := web.NewFigures()
	figures.Pass("prod", "", time.Second)
	figures.Corrected("prod", "east")
	figures.Notified("chat", "sent")
	figures.Recorded("east", "created")
	figures.Asked("prod", "errors", "passes", time.Second)
	for _, kind := range []status.MilestoneKind{status.Entered, status.Promoted, status.Stopped, status.Opened, status.Live} {
		figures.Milestone(status.Milestone{Kind: kind, Environment: "prod", Detail: "soak"})
	}
	b := board()
	b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Credential: status.Credential{Expires: time.Now()}})
	b.Updated(status.Environment{Name: "prod", Clusters: []status.Cluster{{Name: "east"}}}, []status.Instance{{
		Environment: "prod", Request: shop, Waiting: []status.Gate{{Name: "soak"}}, Rollout: &status.Rollout{},
		Placements: []status.Placement{{Cluster: "east", Revision: "sha256:shopeast", Health: "Unknown"}},
	}})
	b.Placed("prod", shop, status.Placement{Cluster: "east", Revision: "sha256:shopeast", Health: "Unknown", Withheld: "why", Drift: []status.ObjectProblem{{Object: "a"}}})
	b.ForgeTold("commit statuses", nil)
	ages := web.Ages(func() map[string]time.Duration { return map[string]time.Duration{"prod": 0} })
	_, body := get(t, serve(t, web.Options{Board: b, Collectors: append(figures.Collectors(), ages)}), "/metrics")

	table := documented(t)
	require.Equal(t, table, exposed(t, body))
	var named []string
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if content, err := os.ReadFile(file); !strings.HasSuffix(file, "_test.go") {
			require.NoError(t, err)
			for _, name := range regexp.MustCompile(`"(transom_\w+)"`).FindAllStringSubmatch(string(content), -1) {
				named = append(named, name[1])
			}
		}
	}
	for name := range table {
		require.Contains(t, named, name)
	}
	for _, name := range named {
		require.Contains(t, table, name, "it is registered, and this test does not make it appear")
	}
}

func TestMetricsSayWhatAPersonHasToMend(t *testing.T) {
	b := board()
	b.Refused("prod", "east", "last written from elsewhere")
	b.ClusterSeen(status.Cluster{Name: "west", Reachable: true, Credential: status.Credential{Warning: "ends in two days"}})
	figures := web.NewFigures()
	figures.Pass("prod", "", time.Second)
	var err error
	s := serve(t, web.Options{Board: b, Ready: func() error { return err }, Collectors: figures.Collectors()})
	_, body := get(t, s, "/metrics")
	for _, line := range []string{
		`transom_ready 1`,
		`transom_cluster_problem{cluster="east",environment="prod"} 1`,
		`transom_cluster_problem{cluster="west",environment="prod"} 0`,
		`transom_cluster_credential_warning{cluster="east",environment="prod"} 0`,
		`transom_cluster_credential_warning{cluster="west",environment="prod"} 1`,
		`transom_failures_total{environment="prod"} 0`,
		`transom_rollbacks_total{environment="prod"} 0`,
	} {
		require.Contains(t, body, line+"\n")
	}
	err = errors.New("environment prod is not reconciled yet")
	_, body = get(t, s, "/metrics")
	require.Contains(t, body, "transom_ready 0\n")
}
