package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/state"
)

// TestSealedValueReachesItsClusterAlone: a value that a developer sealed is in the Secret on the cluster, and nowhere else; the copy of
// another request's file writes nothing, and delays nobody.
func TestSealedValueReachesItsClusterAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	id := newIdentity(t)
	w.opens(id.String() + "\n")
	w.start()

	files := w.sealing(id.Recipient().String())
	w.push("an offering", files)
	w.seal("orchard-51H")
	w.push("seal a value", nil)
	w.eventually("the value is on the cluster", w.hasPassword("orchard-51H"))
	w.seal("meadow-52H")
	commit := w.push("seal another value", nil)
	w.eventually("the next value is on the cluster", w.hasPassword("meadow-52H"))
	w.eventually("all is healthy", func() error { return w.healthy(commit, -1) })

	copied, err := os.ReadFile(filepath.Join(w.clone(), "requests/payments/keys.dev.secret.yaml"))
	require.NoError(t, err)
	w.push("a copy", map[string]string{
		"requests/payments/copy.yaml":            strings.ReplaceAll(files["requests/payments/keys.yaml"], "name: keys", "name: copy"),
		"requests/payments/copy.dev.secret.yaml": strings.Replace(string(copied), "name: keys", "name: copy", 1),
	})
	w.eventually("the copy does not open", func() error { return w.hasObjectProblem("dev", "copy") })
	w.push("a neighbour", map[string]string{"requests/payments/other.yaml": request("other", "blue")})
	w.live("other", "blue")
	_, err = w.client("one").CoreV1().Secrets("payments").Get(t.Context(), "copy-vault", metav1.GetOptions{})
	require.Error(t, err, "nothing of the copy was written")

	state, err := exec.Command("git", "-C", filepath.Join(w.dir, "state-dev.git"), "log", "-p", "--all").Output()
	require.NoError(t, err)
	require.True(t, bytes.Contains(state, []byte("ENC[AES256_GCM")))
	log, err := os.ReadFile(filepath.Join(w.dir, "daemon.log"))
	require.NoError(t, err)
	said := w.transom("status", "-o", "json") + w.transom("explain", "payments/copy", "--environment", "dev", "-o", "json")
	require.Contains(t, said, "it is sealed for another request or environment than payments/copy/dev")
	for name, text := range map[string]string{"state": string(state), "log": string(log), "status": said} {
		require.NotContains(t, text, "orchard-51H", "the value is in the %s", name)
		require.NotContains(t, text, "meadow-52H", "the value is in the %s", name)
	}
	w.stop()
}

// TestAKeyIsRotatedUnderARunningDaemon: a file that is sealed to a key which the daemon does not have is a Problem of its instance and delays
// nobody; the key is all that it takes, without a restart, and then the old one may go.
func TestAKeyIsRotatedUnderARunningDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	old, next := newIdentity(t), newIdentity(t)
	file := w.opens(old.String() + "\n")
	w.start()
	w.push("an offering", w.sealing(old.Recipient().String()))
	w.seal("orchard-51H")
	w.push("seal a value", nil)
	w.eventually("the value is on the cluster", w.hasPassword("orchard-51H"))

	// The recipient is another one, and so is that of the file, before the daemon has its key.
	dev, err := os.ReadFile(filepath.Join(w.clone(), "environments/dev.yaml"))
	require.NoError(t, err)
	w.write("environments/dev.yaml", strings.Replace(string(dev), old.Recipient().String(), next.Recipient().String(), 1))
	out := w.transom("secret", "rekey", "-C", w.clone(), "--age-identities", file)
	require.Contains(t, out, "requests/payments/keys.dev.secret.yaml: rekeyed (+ "+next.Recipient().String()+", - "+old.Recipient().String()+")")
	w.push("rotate the key", nil)
	foreign := "it is sealed for " + next.Recipient().String() + ", and none of the 1 identities at hand is theirs; give the daemon theirs by --age-identities"
	w.eventually("the daemon says so", func() error {
		if !strings.Contains(w.transom("status", "-o", "json"), foreign) {
			return errors.New("it does not say: " + foreign)
		}
		return nil
	})
	w.push("a neighbour", map[string]string{"requests/payments/other.yaml": request("other", "blue")})
	w.live("other", "blue")
	require.NoError(t, w.hasPassword("orchard-51H")(), "the value that runs stays")

	// The daemon is given both.
	require.NoError(t, os.WriteFile(file, []byte(old.String()+"\n"+next.String()+"\n"), 0o600))
	commit := w.git(w.clone(), "rev-parse", "HEAD")
	w.eventually("all is healthy", func() error { return w.healthy(commit, -1) })
	require.NoError(t, w.hasPassword("orchard-51H")())

	// The old one goes.
	require.NoError(t, os.WriteFile(file, []byte(next.String()+"\n"), 0o600))
	w.seal("meadow-52H")
	w.push("another value", nil)
	w.eventually("the next value is on the cluster", w.hasPassword("meadow-52H"))
	w.stop()
}

// TestAPullSecretReachesEachNamespace: the logins of an environment are on its clusters, in the namespace of each team that has pods there, and
// nowhere else; the pods have them, and each Secret goes with its request.
func TestAPullSecretReachesEachNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	id := newIdentity(t)
	w.opens(id.String() + "\n")
	w.start()
	dev, err := os.ReadFile(filepath.Join(w.clone(), "environments/dev.yaml"))
	require.NoError(t, err)
	of := func(team string) string { return "requests/" + team + "/app.yaml" }
	app := document("Request", "app", `offering: app, version: "1", environments: {dev: {}}`)
	files := map[string]string{
		"environments/dev.yaml": strings.TrimRight(string(dev), "\n") + fmt.Sprintf("\n  secrets: {recipients: {\"*\": [%s]}}\n  imagePullSecrets: [registry]\n", id.Recipient()),
		of("payments"):          app, of("search"): app, "requests/payments/other.yaml": strings.Replace(app, "name: app", "name: other", 1),
		"offerings/app/offering.yaml": document("Offering", "app", "title: App"),
	}
	for _, f := range txtar.Parse([]byte(published("app", "1.0.0", "", pods))).Files {
		files[f.Name] = string(f.Data)
	}
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(w.clone(), name)), 0o755))
		w.write(name, content)
	}
	login := func(password string) string {
		w.sealAs(`{"auths":{"registry.example.com":{"username":"robot","password":"`+password+`"}}}`, "registry", "-e", "dev")
		return w.push("seal the logins", nil)
	}
	login("orchard-51H")
	logins := func(team, name, password string) func() error {
		return func() error {
			secret, err := w.client("one").CoreV1().Secrets(team).Get(t.Context(), name, metav1.GetOptions{})
			if err == nil && !strings.Contains(string(secret.Data[".dockerconfigjson"]), password) {
				err = errors.New("it holds another value")
			}
			return err
		}
	}
	everywhere := func(password string) {
		t.Helper()
		w.eventually("payments has the logins", logins("payments", "app-registry", password))
		w.eventually("the other request has them", logins("payments", "other-registry", password))
		w.eventually("search has them", logins("search", "app-registry", password))
	}
	everywhere("orchard-51H")
	w.eventually("the pods have them", func() error {
		job, err := w.client("one").BatchV1().CronJobs("search").Get(t.Context(), "app-app", metav1.GetOptions{})
		if err == nil {
			if has := job.Spec.JobTemplate.Spec.Template.Spec.ImagePullSecrets; len(has) != 1 || has[0].Name != "app-registry" {
				err = fmt.Errorf("they have %v", has)
			}
		}
		return err
	})
	login("meadow-52H")
	everywhere("meadow-52H")
	_, err = w.client("two").CoreV1().Secrets("payments").Get(t.Context(), "app-registry", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "prod asked for none: %v", err)

	w.checksHaveLogins("meadow-52H")

	// A request that goes takes its own along, and leaves the other's.
	w.push("one goes", map[string]string{"requests/payments/other.yaml": ""})
	w.eventually("its Secret goes", func() error {
		if err := logins("payments", "other-registry", "meadow-52H")(); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there: %w", err)
		}
		return nil
	})
	require.NoError(t, logins("payments", "app-registry", "meadow-52H")())
	require.Contains(t, w.transom("verify", "dev", "--directory", w.clone()), "are, byte for byte, what its Release files name")

	state, err := exec.Command("git", "-C", filepath.Join(w.dir, "state-dev.git"), "log", "-p", "--all").Output()
	require.NoError(t, err)
	require.Contains(t, string(state), `".dockerconfigjson": ENC[AES256_GCM`)
	log, err := os.ReadFile(filepath.Join(w.dir, "daemon.log"))
	require.NoError(t, err)
	for name, text := range map[string]string{"state": string(state), "log": string(log), "status": w.transom("status", "-o", "json")} {
		require.NotContains(t, text, "orchard-51H", "the value is in the %s", name)
		require.NotContains(t, text, "meadow-52H", "the value is in the %s", name)
		require.NotContains(t, text, "registry.example.com\":", "the login is in the %s", name)
	}
	w.stop()
}

// checksHaveLogins has a release go from dev to prod past a check that is a Job, whose pods need the logins of dev. The test ends the Job, as no
// controller runs.
func (w *world) checksHaveLogins(password string) {
	w.t.Helper()
	prod, err := os.ReadFile(filepath.Join(w.clone(), "environments/prod.yaml"))
	require.NoError(w.t, err)
	files := map[string]string{
		"environments/prod.yaml":                                  strings.TrimRight(string(prod), "\n") + "\n  promotesFrom: [dev]\n  gates: {checks: [{name: smoke, job: checks/smoke}]}\n",
		"offerings/checked/1.0.0/checks/smoke/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [job.yaml]\n",
		"offerings/checked/1.0.0/checks/smoke/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: smoke}\n" +
			"spec: {template: {spec: {restartPolicy: Never, containers: [{name: smoke, image: 'registry.example.com/smoke:1'}]}}}\n",
		"offerings/checked/offering.yaml": document("Offering", "checked", "title: Checked"),
		"requests/payments/checked.yaml":  document("Request", "checked", `offering: checked, version: "1", environments: {dev: {}, prod: {}}`),
	}
	for _, f := range txtar.Parse([]byte(published("checked", "1.0.0", "", pods))).Files {
		files[f.Name] = string(f.Data)
	}
	w.push("a release with a check", files)
	var job batchv1.Job
	w.eventually("the Job of the check has the logins", func() error {
		all, err := w.client("one").BatchV1().Jobs("payments").List(w.t.Context(), metav1.ListOptions{LabelSelector: state.LabelCheck})
		if err != nil {
			return err
		}
		if len(all.Items) != 1 {
			return fmt.Errorf("there are %d Jobs", len(all.Items))
		}
		job = all.Items[0]
		names := job.Spec.Template.Spec.ImagePullSecrets
		if len(names) != 1 {
			return fmt.Errorf("it names %v", names)
		}
		secret, err := w.client("one").CoreV1().Secrets("payments").Get(w.t.Context(), names[0].Name, metav1.GetOptions{})
		if err == nil && !strings.Contains(string(secret.Data[".dockerconfigjson"]), password) {
			err = errors.New("it holds another value")
		}
		return err
	})
	now := metav1.Now()
	job.Status.StartTime, job.Status.CompletionTime = &now, &now
	for _, condition := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
	}
	_, err = w.client("one").BatchV1().Jobs("payments").UpdateStatus(w.t.Context(), &job, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	w.eventually("the release is in prod", func() error {
		_, err := w.client("two").BatchV1().CronJobs("payments").Get(w.t.Context(), "checked-app", metav1.GetOptions{})
		return err
	})
}

// pods is a CronJob, which is healthy where no controller runs.
const pods = `apiVersion: batch/v1
kind: CronJob
metadata: {name: app}
spec:
  schedule: 0 0 1 1 *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: 'registry.example.com/app:1'}]}}}}
`

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return id
}

// opens gives the daemon age identities, from when it starts, in a file that it returns.
func (w *world) opens(identities string) (file string) {
	w.t.Helper()
	file = filepath.Join(w.t.TempDir(), "key.txt")
	require.NoError(w.t, os.WriteFile(file, []byte(identities), 0o600))
	w.flags = append(w.flags, "--age-identities", file)
	return file
}

// sealing is an offering that asks for a password, a request of it in dev, and dev with a recipient.
func (w *world) sealing(recipient string) map[string]string {
	w.t.Helper()
	files := maps.Clone(vault)
	files["offerings/vault/1.0.0/secret.yaml"] = strings.ReplaceAll(vault["offerings/vault/1.0.0/secret.yaml"],
		"transom.dev/generate: password, transom.dev/generate-keys: password", "transom.dev/sealed: password")
	files["requests/payments/keys.yaml"] = strings.Replace(vault["requests/payments/keys.yaml"], ", prod: {}", "", 1)
	dev, err := os.ReadFile(filepath.Join(w.clone(), "environments/dev.yaml"))
	require.NoError(w.t, err)
	files["environments/dev.yaml"] = strings.TrimRight(string(dev), "\n") + fmt.Sprintf("\n  secrets: {recipients: {payments: [%s]}}\n", recipient)
	return files
}

// seal seals the password of the request in the clone.
func (w *world) seal(value string) { w.sealAs(value+"\n", "payments/keys", "password", "-e", "dev") }

func (w *world) sealAs(input string, args ...string) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, "transom"), append([]string{"secret", "set", "-C", w.clone()}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(w.t, err, string(out))
}

// hasPassword says whether the Secret of the request has a password.
func (w *world) hasPassword(value string) func() error {
	return func() error {
		secret, err := w.client("one").CoreV1().Secrets("payments").Get(w.t.Context(), "keys-vault", metav1.GetOptions{})
		if err == nil && string(secret.Data["password"]) != value {
			err = fmt.Errorf("it holds another value")
		}
		return err
	}
}

// write puts a file into the clone.
func (w *world) write(name, content string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.clone(), name), []byte(content), 0o644))
}
