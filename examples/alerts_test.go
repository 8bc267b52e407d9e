package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// A ruleGroup is a group of alert rules, as Prometheus reads it.
type ruleGroup struct {
	Name  string      `json:"name"`
	Rules []alertRule `json:"rules"`
}

type alertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// rules are the alert rules of the installation.
func rules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []ruleGroup `json:"groups"`
	}
	readYAML(t, "install/alerts.yaml", &file)
	require.Len(t, file.Groups, 1)
	require.NotEmpty(t, file.Groups[0].Rules)
	return file.Groups[0].Rules
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into))
}

// TestAlertsFireWhereTheyShould by Prometheus's own evaluation, and each of them is seen to fire and not to fire.
func TestAlertsFireWhereTheyShould(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		promtool = filepath.Join("..", "bin", "tools", "promtool")
	}
	for _, args := range [][]string{{"check", "rules", "install/alerts.yaml"}, {"test", "rules", "testdata/alerts.yaml"}} {
		out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
		require.NoError(t, err, "%s; \"make promtool\" installs it", out)
	}
	var cases struct {
		Tests []struct {
			Checks []struct {
				Alert string `json:"alertname"`
				Fires []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	readYAML(t, "testdata/alerts.yaml", &cases)
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, check := range c.Checks {
			if len(check.Fires) > 0 {
				fires[check.Alert] = true
			} else {
				rests[check.Alert] = true
			}
		}
	}
	for _, rule := range rules(t) {
		require.True(t, fires[rule.Alert], "%s is not seen to fire", rule.Alert)
		require.True(t, rests[rule.Alert], "%s is not seen at rest", rule.Alert)
	}
}

func TestThePrometheusRuleHasTheAlertsOfTheFile(t *testing.T) {
	var operator struct {
		Spec struct {
			Groups []ruleGroup `json:"groups"`
		} `json:"spec"`
	}
	readYAML(t, "install/monitoring/prometheusrule.yaml", &operator)
	require.Len(t, operator.Spec.Groups, 1)
	require.Equal(t, rules(t), operator.Spec.Groups[0].Rules)
}

// TestThePageExplainsEveryAlert and each of an alert's metrics is in the page's table, which the tests of package web hold to the code.
func TestThePageExplainsEveryAlert(t *testing.T) {
	content, err := os.ReadFile("../cmd/transom/docs/metrics.md")
	require.NoError(t, err)
	var named, explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(Transom\\w+)` \\|").FindAllStringSubmatch(string(content), -1) {
		explained = append(explained, row[1])
	}
	for _, rule := range rules(t) {
		named = append(named, rule.Alert)
		metrics := regexp.MustCompile(`transom_\w+`).FindAllString(rule.Expr, -1)
		require.NotEmpty(t, metrics, rule.Alert)
		for _, metric := range metrics {
			require.Contains(t, string(content), "\n| `"+metric+"` |", rule.Alert)
		}
	}
	require.Equal(t, named, explained)
}
