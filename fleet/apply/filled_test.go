package apply_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
)

// alternatives are the contents of an object of which each excludes the others in some field, or has the API server fill one
// that another must not have.
type alternatives struct {
	resource schema.GroupVersionResource
	object   string   // with NAME for the name and SPEC for the rest
	specs    []string // each to be had from each other
}

// workload is a workload of containers and volumes.
func workload(kind, fields string, pods ...string) alternatives {
	resource := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: strings.ToLower(kind) + "s"}
	a := alternatives{resource: resource, object: fmt.Sprintf("{apiVersion: apps/v1, kind: %s, metadata: {name: NAME}, spec: {%s"+
		"selector: {matchLabels: {app: app}}, SPEC}}", kind, fields)}
	for _, pod := range pods {
		a.specs = append(a.specs, fmt.Sprintf("template: {metadata: {labels: {app: app}}, spec: {%s}}", pod))
	}
	return a
}

// strategies are a workload whose pods are always the same.
func strategies(kind, fields string, specs ...string) alternatives {
	a := workload(kind, fields)
	for _, spec := range specs {
		a.specs = append(a.specs, strings.TrimPrefix(spec+", ", ", ")+"template: {metadata: {labels: {app: app}}, spec: {containers: [{name: app, image: nginx}]}}")
	}
	return a
}

// container is a container of a pod.
func container(fields string) string {
	return "containers: [{name: app, image: nginx, " + fields + "}]"
}

func volume(fields string) string {
	return "containers: [{name: app, image: nginx}], volumes: [{name: v" + fields + "}]"
}

var unions = map[string]alternatives{
	"deployment strategy": strategies("Deployment", "", "", "strategy: {type: Recreate}", "strategy: {type: RollingUpdate}",
		"strategy: {rollingUpdate: {maxSurge: 2}}"),
	"daemonset strategy": strategies("DaemonSet", "", "", "updateStrategy: {type: OnDelete}", "updateStrategy: {rollingUpdate: {maxUnavailable: 2}}"),
	"statefulset strategy": strategies("StatefulSet", "serviceName: none, ", "", "updateStrategy: {type: OnDelete}",
		"updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}"),
	"volume": workload("Deployment", "", volume(""), volume(", emptyDir: {}"), volume(", emptyDir: {medium: Memory}"), volume(", configMap: {name: c}"),
		volume(", secret: {secretName: c}"), volume(", hostPath: {path: /tmp}"), volume(", downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.name}}]}"),
		volume(", projected: {sources: [{configMap: {name: c}}, {serviceAccountToken: {path: t}}]}"), volume(", persistentVolumeClaim: {claimName: c}"),
		volume(", nfs: {server: s, path: /}"), volume(", csi: {driver: d}"), volume(", image: {reference: r}"),
		volume(", iscsi: {targetPortal: p, iqn: iqn.2001-04.com.example:a, lun: 0}"), volume(", rbd: {monitors: [m], image: i}"),
		volume(", ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}")),
	"init container's volume of another name": workload("Deployment", "", "containers: [{name: app, image: nginx}]", volume("")),
	"probe": workload("Deployment", "", container(""), container("livenessProbe: {httpGet: {port: 80}}"), container("livenessProbe: {tcpSocket: {port: 80}}"),
		container("livenessProbe: {exec: {command: [a]}}"), container("livenessProbe: {grpc: {port: 80}}")),
	"lifecycle": workload("Deployment", "", container(""), container("lifecycle: {preStop: {httpGet: {port: 80}}}"), container("lifecycle: {preStop: {exec: {command: [a]}}}"),
		container("lifecycle: {preStop: {sleep: {seconds: 3}}}")),
	"env": workload("Deployment", "", container("env: [{name: A}]"), container("env: [{name: A, value: a}]"),
		container("env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"),
		container("env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: b}}}]"), container("env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: b}}}]"),
		container("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]")),
	"service account":               workload("Deployment", "", container(""), container("")+", serviceAccountName: a", container("")+", serviceAccountName: b"),
	"service account by both names": workload("Deployment", "", container("")+", serviceAccountName: a", container("")+", serviceAccount: b", container("")+", serviceAccount: c"),
	"host network":                  workload("Deployment", "", container("ports: [{containerPort: 80}]"), container("ports: [{containerPort: 80}]")+", hostNetwork: true"),
	"seccomp": workload("Deployment", "", container(""), container("")+", securityContext: {seccompProfile: {type: RuntimeDefault}}",
		container("")+", securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}"),
	"cronjob volume": {
		resource: schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"},
		object: "{apiVersion: batch/v1, kind: CronJob, metadata: {name: NAME}, spec: {schedule: 0 3 * * *, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, " +
			"containers: [{name: app, image: nginx}], SPEC}}}}}}",
		specs: []string{"volumes: [{name: v}]", "volumes: [{name: v, configMap: {name: c}}]", "serviceAccountName: a", ""},
	},
	"job policy": {
		resource: schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"},
		object: "{apiVersion: batch/v1, kind: CronJob, metadata: {name: NAME}, spec: {schedule: 0 3 * * *, jobTemplate: {spec: {SPEC template: {spec: {restartPolicy: Never, " +
			"containers: [{name: app, image: nginx}]}}}}}}",
		specs: []string{
			"", "podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [1]}}]},", "podReplacementPolicy: Failed,",
			"completionMode: Indexed, completions: 2,", "completionMode: Indexed, completions: 2, backoffLimitPerIndex: 1,",
		},
	},
	"service": {
		resource: schema.GroupVersionResource{Version: "v1", Resource: "services"},
		object:   "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {SPEC}}",
		specs: []string{
			"ports: [{port: 80}]", "ports: [{port: 80}], type: NodePort", "ports: [{port: 80}], type: LoadBalancer",
			"ports: [{port: 80}], type: LoadBalancer, externalTrafficPolicy: Local", "ports: [{port: 80}], type: LoadBalancer, allocateLoadBalancerNodePorts: false",
			"ports: [{port: 80}], type: NodePort, externalTrafficPolicy: Local", "ports: [{port: 80}], sessionAffinity: ClientIP",
			"ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}", "ports: [{port: 80}], internalTrafficPolicy: Local",
			"type: ExternalName, externalName: a.example.com",
		},
	},
	"ingress": {
		resource: schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
		object:   "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: NAME}, spec: {SPEC}}",
		specs: []string{
			"defaultBackend: {service: {name: a, port: {number: 80}}}", "defaultBackend: {service: {name: a, port: {name: http}}}",
			"defaultBackend: {resource: {apiGroup: g, kind: K, name: a}}",
			"rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]",
			"rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Exact, backend: {resource: {apiGroup: g, kind: K, name: a}}}]}}]",
		},
	},
	"network policy": {
		resource: schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
		object:   "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: NAME}, spec: {podSelector: {}, SPEC}}",
		specs: []string{
			"", "egress: [{}]", "ingress: [{}]", "policyTypes: [Egress]", "ingress: [{from: [{podSelector: {}}]}]",
			"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]",
		},
	},
	"autoscaler": {
		resource: schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
		object: "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: NAME}, spec: {maxReplicas: 3, " +
			"scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}, SPEC}}",
		specs: []string{
			"", "minReplicas: 2", "metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 80}}}]",
			"metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}]",
			"metrics: [{type: External, external: {metric: {name: q}, target: {type: Value, value: 3}}}]",
			"metrics: [{type: Pods, pods: {metric: {name: q}, target: {type: AverageValue, averageValue: 3}}}]",
			"behavior: {scaleDown: {stabilizationWindowSeconds: 3}}", "behavior: {scaleUp: {selectPolicy: Disabled}}",
		},
	},
	"budget": {
		resource: schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		object:   "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: NAME}, spec: {selector: {matchLabels: {a: b}}, SPEC}}",
		specs:    []string{"minAvailable: 1", "maxUnavailable: 1", "maxUnavailable: 50%"},
	},
}

// specOf is the spec of an object as YAML, without the fields that are allocated for each.
func (r *rig) specOf(a alternatives, name string) string {
	r.Helper()
	u, err := r.dynamic.Resource(a.resource).Namespace(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	require.NoError(r, err)
	for _, name := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		delete(spec, name)
	}
	ports, _, _ := unstructured.NestedSlice(spec, "ports")
	for _, port := range ports {
		delete(port.(map[string]any), "nodePort")
	}
	if len(ports) > 0 {
		spec["ports"] = ports
	}
	text, err := yaml.Marshal(spec)
	require.NoError(r, err)
	return string(text)
}

// Whichever form an object had before, it becomes the same as if it were made anew, in one write.
func TestUnionsComeToWhatTheyWouldBeAnew(t *testing.T) {
	for name, a := range unions {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.bare = true
			content := func(name string, spec int) apply.Instance {
				return r.instance("web", strings.NewReplacer("NAME", name, "SPEC", a.specs[spec]).Replace(a.object))
			}
			want := make([]string, len(a.specs))
			for i := range a.specs {
				name := fmt.Sprintf("anew-%d", i)
				require.Empty(t, r.visit(content(name, i)).Problems, a.specs[i])
				want[i] = r.specOf(a, name)
			}
			for from := range a.specs {
				for to := range a.specs {
					if from == to {
						continue
					}
					name := fmt.Sprintf("from-%d-to-%d", from, to)
					r.visit(content(name, from))
					r.calls.take()
					result := r.visit(content(name, to))
					what := a.specs[from] + " -> " + a.specs[to]
					require.Empty(t, result.Problems, what)
					require.Equal(t, want[to], r.specOf(a, name), what)
				}
			}
		})
	}
}

// A claim changes nothing of the object but who owns the field.
func TestKilledWhileAStrategyChangesTheSameEnd(t *testing.T) {
	r := newRig(t, &whole)
	content := func(strategy string) func(string) apply.Instance {
		return func(name string) apply.Instance {
			return r.instance(name, strings.NewReplacer("NAME", name, "SPEC", strategy).Replace(unions["deployment strategy"].object))
		}
	}
	specs := unions["deployment strategy"].specs
	killed := r.killedAtEveryWrite(content(specs[0]), content(specs[1]), func(name string) {
		require.Contains(t, r.specOf(unions["deployment strategy"], name), "strategy:\n  type: Recreate\n")
		r.quiet()
		r.calls.take()
		require.Empty(t, r.visit(content(specs[1])(name)).Changes)
		require.Empty(t, r.calls.take())
	})
	require.Equal(t, 2, killed, "the claim and the object")
}

// A field that somebody else set by hand is in the way of the strategy as well, and goes with the branch.
func TestAStrategyThatOthersTunedGoes(t *testing.T) {
	r := newRig(t, &apiOnly)
	a := unions["deployment strategy"]
	content := func(spec int) apply.Instance {
		return r.instance("web", strings.NewReplacer("NAME", "web", "SPEC", a.specs[spec]).Replace(a.object))
	}
	r.visit(content(0))
	r.edit("web", "kubectl-edit", `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":3}}}}`)
	require.Empty(t, r.visit(content(1)).Problems)
	require.Contains(t, r.specOf(a, "web"), "strategy:\n  type: Recreate\n")
}

// A field that a person set of a network policy is not filled by the API server, and stays.
func TestPolicyTypesThatOthersSetStay(t *testing.T) {
	r := newRig(t, &apiOnly)
	a := unions["network policy"]
	content := func(spec int) apply.Instance {
		return r.instance("web", strings.NewReplacer("NAME", "web", "SPEC", a.specs[spec]).Replace(a.object))
	}
	r.visit(content(0))
	_, err := r.kube.NetworkingV1().NetworkPolicies(r.team).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"spec":{"policyTypes":["Egress"]}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	require.Empty(t, r.visit(content(2)).Problems)
	require.Contains(t, r.specOf(a, "web"), "policyTypes:\n- Egress\n")
}

// A workload that was made without a strategy is adopted by a version that has another.
func TestAStrategyIsFreeToDifferWhereItIsAdopted(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	a := unions["deployment strategy"]
	object := func(spec int) string {
		return strings.NewReplacer("NAME", "web", "SPEC", a.specs[spec]).Replace(a.object)
	}
	var u unstructured.Unstructured
	require.NoError(t, yaml.Unmarshal([]byte(object(0)), &u.Object))
	_, err := r.dynamic.Resource(a.resource).Namespace(r.team).Create(t.Context(), &u, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	r.bare = true
	in := r.adopting("web", object(1))
	result := r.visit(in)
	require.Empty(t, result.Problems)
	in.Approved = []string{result.Adoption.Digest} // which fields would go cannot be asked, so all are shown
	result = r.visit(in)
	require.Equal(t, map[string]apply.Action{"Deployment web": apply.Adopted}, actions(result))
	require.Contains(t, r.specOf(a, "web"), "strategy:\n  type: Recreate\n")
}
