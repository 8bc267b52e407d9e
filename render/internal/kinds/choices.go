package kinds

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
	"go.yaml.in/yaml/v3"

	"transom.dev/render/wording"
)

// choices are the fields that take one of a few words, by the type that has them. The schema says only that they are text, and the API
// server refuses any other word. Fields that later versions of Kubernetes gave more words are omitted.
var choices = map[string]map[string][]string{
	"io.k8s.api.core.v1.Container":                                  {"imagePullPolicy": pullPolicies, "terminationMessagePolicy": messagePolicies},
	"io.k8s.api.core.v1.EphemeralContainer":                         {"imagePullPolicy": pullPolicies, "terminationMessagePolicy": messagePolicies},
	"io.k8s.api.core.v1.ContainerPort":                              {"protocol": protocols},
	"io.k8s.api.core.v1.HTTPGetAction":                              {"scheme": {"HTTP", "HTTPS"}},
	"io.k8s.api.core.v1.PodSpec":                                    {"restartPolicy": {"Always", "OnFailure", "Never"}, "dnsPolicy": {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}},
	"io.k8s.api.core.v1.ServicePort":                                {"protocol": protocols},
	"io.k8s.api.core.v1.ServiceSpec":                                {"type": {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}, "sessionAffinity": {"ClientIP", "None"}, "externalTrafficPolicy": {"Cluster", "Local"}, "internalTrafficPolicy": {"Cluster", "Local"}},
	"io.k8s.api.core.v1.Toleration":                                 {"effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"}},
	"io.k8s.api.core.v1.TopologySpreadConstraint":                   {"whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"}},
	"io.k8s.api.core.v1.PersistentVolumeClaimSpec":                  {"volumeMode": {"Filesystem", "Block"}},
	"io.k8s.api.apps.v1.DeploymentStrategy":                         {"type": {"RollingUpdate", "Recreate"}},
	"io.k8s.api.apps.v1.DaemonSetUpdateStrategy":                    {"type": {"RollingUpdate", "OnDelete"}},
	"io.k8s.api.apps.v1.StatefulSetUpdateStrategy":                  {"type": {"RollingUpdate", "OnDelete"}},
	"io.k8s.api.apps.v1.StatefulSetSpec":                            {"podManagementPolicy": {"OrderedReady", "Parallel"}},
	"io.k8s.api.batch.v1.CronJobSpec":                               {"concurrencyPolicy": {"Allow", "Forbid", "Replace"}},
	"io.k8s.api.batch.v1.JobSpec":                                   {"completionMode": {"NonIndexed", "Indexed"}},
	"io.k8s.api.networking.v1.HTTPIngressPath":                      {"pathType": {"Exact", "Prefix", "ImplementationSpecific"}},
	"io.k8s.api.networking.v1.NetworkPolicyPort":                    {"protocol": protocols},
	"io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement": {"operator": {"In", "NotIn", "Exists", "DoesNotExist"}},
}

var (
	protocols       = []string{"TCP", "UDP", "SCTP"}
	pullPolicies    = []string{"Always", "IfNotPresent", "Never"}
	messagePolicies = []string{"File", "FallbackToLogsOnError"}
)

// ports are the fields that are numbers of ports, by the type that has them. The schema takes any integer; what zero means differs.
var ports = map[string][]string{
	"io.k8s.api.core.v1.ContainerPort":            {"containerPort", "hostPort"},
	"io.k8s.api.core.v1.ServicePort":              {"port", "targetPort", "nodePort"},
	"io.k8s.api.core.v1.HTTPGetAction":            {"port"},
	"io.k8s.api.core.v1.TCPSocketAction":          {"port"},
	"io.k8s.api.core.v1.GRPCAction":               {"port"},
	"io.k8s.api.networking.v1.ServiceBackendPort": {"number"},
	"io.k8s.api.networking.v1.NetworkPolicyPort":  {"port", "endPort"},
}

// Types with a rule of their own.
const (
	cronJobSpec = "io.k8s.api.batch.v1.CronJobSpec"
	jobSpec     = "io.k8s.api.batch.v1.JobSpec"
)

// words checks the fields of a map against the words that they take, and against what else the API server asks of their text.
func (w *walker) words(n *yaml.Node, of string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		known := choices[of][name]
		if value.Kind != yaml.ScalarNode || !isText(value) {
			continue
		}
		w.path = append(w.path, Step{Name: name})
		switch {
		case known != nil && value.Value != "" && !slices.Contains(known, value.Value):
			w.report(value, "value", "%q is none of %s%s", wording.Shorten(value.Value), strings.Join(known, ", "), meant(value.Value, known))
		case of == cronJobSpec && name == "schedule":
			if wrong := schedule(value.Value); wrong != "" {
				w.report(value, "value", "%s", wrong)
			}
		}
		w.path = w.path[:len(w.path)-1]
	}
	w.portNumbers(n, of)
	if of == jobSpec {
		w.restarts(n)
	}
}

// portNumbers checks the fields of a map that are numbers of ports.
func (w *walker) portNumbers(n *yaml.Node, of string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		if !slices.Contains(ports[of], name) || value.ShortTag() != "!!int" {
			continue
		}
		if port, err := strconv.ParseInt(value.Value, 0, 64); err == nil && (port < 0 || port > 65535) {
			w.path = append(w.path, Step{Name: name})
			w.report(value, "value", "%d is no port; ports are from 1 to 65535", port)
			w.path = w.path[:len(w.path)-1]
		}
	}
}

// meant suggests the word that differs in the case of its letters only, or a similar one.
func meant(word string, known []string) string {
	for _, one := range known {
		if strings.EqualFold(one, word) {
			return fmt.Sprintf("; did you mean %q?", one)
		}
	}
	return wording.Suggest(word, known)
}

// schedule says why a CronJob cannot run by a schedule; empty if it can. A time zone in it is for the API server to judge, which refuses that
// of a new CronJob and accepts it of one that runs.
func schedule(text string) string {
	if _, err := cron.ParseStandard(text); err != nil {
		return fmt.Sprintf("%q is no schedule; write five fields such as \"0 3 * * *\", or @daily", wording.Shorten(text))
	}
	return ""
}

// restarts reports pods of a Job that would always be restarted, which is so where nothing is written.
func (w *walker) restarts(n *yaml.Node) {
	template := valueOf(n, "template")
	if template == nil || template.Kind != yaml.MappingNode {
		return
	}
	spec := valueOf(template, "spec")
	if spec == nil || spec.Kind != yaml.MappingNode {
		return
	}
	policy := valueOf(spec, "restartPolicy")
	missing := policy == nil || policy.ShortTag() == "!!null" || policy.Value == ""
	if !missing && policy.Value != "Always" {
		return
	}
	at := w.path
	w.path = append(slices.Clone(at), Step{Name: "template"}, Step{Name: "spec"}, Step{Name: "restartPolicy"})
	if missing {
		w.report(nil, "value", "is missing, and a Job needs it; write Never or OnFailure")
	} else {
		w.report(policy, "value", "Always is refused of a Job, which ends; write Never or OnFailure")
	}
	w.path = at
}
