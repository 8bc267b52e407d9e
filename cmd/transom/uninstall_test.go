package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"transom.dev/cmd/transom/internal/enroll"
	"transom.dev/cmd/transom/internal/installation"
)

// TestUninstallNamesWhatClusterAddMakes, each object of it, whatever ClusterRoles were asked for.
func TestUninstallNamesWhatClusterAddMakes(t *testing.T) {
	member := enroll.Member{Rights: &installation.Rights{}, ClusterRoles: []string{"edit", "acme:reader"}}
	manifests, err := member.Manifests()
	require.NoError(t, err)
	var commands []string
	for _, step := range removals {
		if step.On == "every cluster of the fleet" {
			commands = append(commands, step.Commands...)
		}
	}
	kinds := map[string]int{}
	for manifest := range strings.SplitSeq(manifests, "---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		require.NoError(t, yaml.Unmarshal([]byte(manifest), &o))
		kinds[o.Kind]++
		kind, name := strings.ToLower(o.Kind), o.Metadata.Name
		one := `^kubectl delete ` + kind + ` (--ignore-not-found )?`
		if o.Metadata.Namespace != "" {
			one += `--namespace ` + o.Metadata.Namespace + ` `
		}
		exact, removed := regexp.MustCompile(one+`(\S+ )*`+regexp.QuoteMeta(name)+`( |$)`), false
		for _, command := range commands {
			removed = removed || exact.MatchString(command)
			if begin, found := strings.CutPrefix(command, "kubectl get "+kind+" --output name | grep /"); found {
				begin, found = strings.CutSuffix(begin, " | xargs -r kubectl delete")
				removed = removed || found && strings.HasPrefix(name, begin)
			}
		}
		require.True(t, removed, "%s %s stays", o.Kind, name)
	}
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount", "Namespace"} {
		require.NotZero(t, kinds[kind], kind)
	}
	require.GreaterOrEqual(t, kinds["ClusterRoleBinding"], 3)
}
