package main

import (
	"fmt"
	"strings"
)

// controllers are those of the controller manager that workloads need. Without node-lifecycle-controller nodes would
// keep the taint they are born with, without resourcequota-controller a namespace with a quota would accept nothing.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"cronjob-controller",
	"daemonset-controller",
	"deployment-controller",
	"disruption-controller",
	"endpointslice-controller",
	"garbage-collector-controller",
	"horizontal-pod-autoscaler-controller",
	"job-controller",
	"namespace-controller",
	"node-lifecycle-controller",
	"persistentvolume-binder-controller",
	"persistentvolume-protection-controller",
	"persistentvolumeclaim-protection-controller",
	"replicaset-controller",
	"resourcequota-controller",
	"serviceaccount-controller",
	"statefulset-controller",
	"ttl-after-finished-controller",
}

func etcdFlags(data string, clientPort, peerPort int) []string {
	client, peer := url("http", clientPort), url("http", peerPort)
	return []string{
		"--data-dir=" + data,
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", // the data lives no longer than the sandbox
		"--quota-backend-bytes=8589934592",
		"--log-level=warn",
	}
}

// apiServerFlags keep each cluster under its own prefix of the one etcd. The range of service addresses is wide,
// because the usual /24 is used up by 254 Services. Without RBAC everybody known may do everything; a third of the
// start of an API server is writing the roles that Kubernetes comes with.
func apiServerFlags(cluster, etcdURL string, port int, rbac bool, audit string, c *credentials) []string {
	authorization := "AlwaysAllow"
	if rbac {
		authorization = "RBAC"
	}
	flags := []string{
		"--etcd-servers=" + etcdURL,
		"--etcd-prefix=/" + cluster,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + c.file(servingCertificate),
		"--tls-private-key-file=" + c.file(servingKey),
		"--token-auth-file=" + c.file(tokens),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file(accountsKey),
		"--service-account-signing-key-file=" + c.file(accountsKey),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=" + authorization,
		"--allow-privileged",
	}
	if audit != "" {
		flags = append(flags, "--audit-policy-file="+c.file(auditPolicyFile), "--audit-log-path="+audit)
	}
	return flags
}

// auditPolicy has the API server log each request of a ServiceAccount, once it is answered: for a watch, when that begins.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
`

// controllerManagerFlags: without the long grace period nodes flap to NotReady, and their pods with them, whenever
// the machine is busy.
func controllerManagerFlags(kubeconfig string, c *credentials) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--service-account-private-key-file=" + c.file(accountsKey),
		"--leader-elect=false",
		"--secure-port=0",
		"--node-monitor-grace-period=1h",
		"--controllers=" + strings.Join(controllers, ","),
	}
}

func schedulerFlags(kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
	}
}

func kwokFlags(kubeconfig, stages string, port int) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--config=" + stages,
		"--manage-all-nodes",
		"--cidr=10.244.0.1/16",
		"--node-ip=" + nodeAddress,
		fmt.Sprintf("--server-address=127.0.0.1:%d", port),
	}
}

func url(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }
