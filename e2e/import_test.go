package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// beside are objects that run beside the workload, with fields that have their defaults and some that have not.
const beside = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  replicas: 0
  serviceName: store
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: store
        image: store:1
        ports: [{containerPort: 5432}]
        readinessProbe: {periodSeconds: 3, httpGet: {path: /, port: 80}}
        env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
      volumes: [{name: settings, configMap: {name: shop-config}}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {clusterIP: None, selector: {app: store}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: NodePort, selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: 0 3 * * *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "job:1"}]}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}, maxReplicas: 4}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled}
spec:
  replicas: 2
  selector: {matchLabels: {app: scaled}}
  template:
    metadata: {labels: {app: scaled}}
    spec: {serviceAccountName: shop, containers: [{name: app, image: "nginx:1", imagePullPolicy: Always}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: shop}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-store-0, labels: {claim: "yes"}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2}
`

// TestWhatRunsIsImportedAndAdoptedWithoutAChange writes down a namespace of a real cluster: what comes of it is the text that
// somebody would have written, the plan finds nothing to decide, and the daemon takes all of it over.
func TestWhatRunsIsImportedAndAdoptedWithoutAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, adopting, []string{"one"})
	o := w.before(running + "---\n" + beside)
	defer o.end()
	kubeconfig := filepath.Join(w.keys, "one.kubeconfig")
	live := func(args ...string) string {
		return w.transom(append([]string{"import", "live", "bugs/shop", "--kubeconfig", kubeconfig, "-C", w.clone()}, args...)...)
	}

	// A claim that a StatefulSet makes is never imported, whichever objects are chosen.
	chosen := exec.Command(filepath.Join(w.bin, "transom"), "import", "live", "bugs/shop", "--kubeconfig", kubeconfig, "-C", w.clone(), "-n", "bugs", "-l", "claim=yes")
	text, err := chosen.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(text), "there is nothing to import in the namespace bugs with the labels claim=yes")

	told := live("--namespace", "bugs")
	require.Contains(t, told, "left: Secret login: its values do not belong in Git")
	require.NotContains(t, told, "hunter2")
	require.NotContains(t, told, "defaults included")
	require.Contains(t, told, "wrote requests/bugs/shop.yaml")
	version := filepath.Join(w.clone(), "offerings/shop/0.1.0")
	for _, name := range []string{
		"configmap-shop-config", "deployment-scaled", "deployment-shop", "horizontalpodautoscaler-scaled", "poddisruptionbudget-shop", "service-shop",
		"service-store", "service-outside", "serviceaccount-shop", "statefulset-store", "cronjob-nightly",
	} {
		require.Equal(t, written(t, name), w.objectIn(version, name), name)
	}
	files, err := filepath.Glob(filepath.Join(version, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 11+2, "and nothing else, but for version.yaml and kustomization.yaml: %v", files)
	require.Contains(t, w.transom("check", w.clone()), "no Problems")

	planned := w.transom("plan", w.clone(), "--live", "--kubeconfigs", w.keys)
	require.NotContains(t, planned, "would")

	pods := o.pods()
	w.start()
	commit := w.push("import", nil)
	w.eventually("all is adopted", func() error { return w.healthy(commit, 1) })
	require.Equal(t, pods, o.pods(), "no pod was restarted")
	for _, was := range o.objects {
		is, err := o.of(was).Get(t.Context(), was.GetName(), metav1.GetOptions{})
		require.NoError(t, err)
		unstructured.RemoveNestedField(is.Object, "spec", "volumeName") // the claim was bound meanwhile
		require.Equal(t, was.Object["spec"], is.Object["spec"], was.GetName())
	}
	w.stop()
}

// written is the object of a file as the test wrote it, but for the replicas that an autoscaler sets.
func written(t *testing.T, file string) map[string]any {
	t.Helper()
	for document := range strings.SplitSeq(running+"---\n"+beside, "---\n") {
		var o unstructured.Unstructured
		require.NoError(t, yaml.Unmarshal([]byte(document), &o.Object))
		if strings.ToLower(o.GetKind())+"-"+o.GetName() != file {
			continue
		}
		if o.GetName() == "scaled" && o.GetKind() == "Deployment" {
			unstructured.RemoveNestedField(o.Object, "spec", "replicas")
		}
		return o.Object
	}
	require.Fail(t, "the test wrote no "+file)
	return nil
}

func (w *world) objectIn(version, file string) map[string]any {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(version, file+".yaml"))
	require.NoError(w.t, err)
	var object map[string]any
	require.NoError(w.t, yaml.Unmarshal(text, &object))
	return object
}
