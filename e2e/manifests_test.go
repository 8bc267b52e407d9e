package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
)

// compared is a comparison as the daemon answers it.
func (w *world) compared(instance, query string) (c api.Comparison, err error) {
	resp, err := http.Get(w.api + "/api/v1/instances/" + instance + "/diff?" + query)
	if err != nil {
		return c, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return c, fmt.Errorf("%d: %s: %w", resp.StatusCode, body, err)
	}
	return c, json.Unmarshal(body, &c)
}

// quota has quantities that an API server writes otherwise.
const quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: most}\nspec: {hard: {requests.cpu: 1000m, requests.memory: 1024Mi}}\n"

// notes is a platform with one request in dev and prod.
func notes(text string) string {
	return `
-- clusters/one.yaml --
` + strings.Replace(document("Cluster", "one", "state: active"), "{name: one}", "{name: one, labels: {is: one}}", 1) + `
-- clusters/two.yaml --
` + strings.Replace(document("Cluster", "two", "state: active"), "{name: two}", "{name: two, labels: {is: two}}", 1) + `
-- environments/dev.yaml --
` + document("Environment", "dev", "state: {url: ../state-dev.git, branch: main}, clusters: {matchLabels: {is: one}}") + `
-- environments/prod.yaml --
` + prodOfNotes("soak: 1s") + `
-- offerings/note/offering.yaml --
` + document("Offering", "note", "title: A note") + published("note", "1.0.0", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: "+text+"}\n---\n"+quota) + `
-- requests/shop/hello.yaml --
` + document("Request", "hello", `offering: note, version: "1", environments: {dev: {}, prod: {}}`)
}

// prodOfNotes is their prod with some gates.
func prodOfNotes(gates string) string {
	return document("Environment", "prod", "state: {url: ../state-prod.git, branch: main}, clusters: {matchLabels: {is: two}}, promotesFrom: [dev], gates: {"+gates+"}")
}

// TestManifestsAreComparedWithWhatIsElsewhere: with the objects of the cluster, with the release that waits, with another
// environment, and with an earlier state.
func TestManifestsAreComparedWithWhatIsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, notes("first"), bothClusters, "--api-only")
	w.start()
	w.eventually("dev has the note", func() error {
		c, err := w.compared("dev/shop/hello", "with=live")
		if err == nil && len(c.Changes) > 0 {
			err = fmt.Errorf("%+v", c.Changes)
		}
		return err
	})
	in, err := w.standing("dev", "hello")
	require.NoError(t, err)
	object := in.Placements[0].Objects[0]
	for _, o := range in.Placements[0].Objects {
		if o.Kind == "ConfigMap" {
			object = o
		}
	}
	_, err = w.client("one").CoreV1().ConfigMaps(object.Namespace).Patch(t.Context(), object.Name, types.MergePatchType, []byte(`{"data":{"more":"by hand"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	differs := func(instance, query, minus, plus string) {
		t.Helper()
		w.eventually(instance+" differs by "+query, func() error {
			c, err := w.compared(instance, query)
			if err == nil && (len(c.Changes) != 1 || !strings.Contains(c.Changes[0].Diff, "-  text: "+minus) || !strings.Contains(c.Changes[0].Diff, "+  text: "+plus)) {
				err = fmt.Errorf("%+v", c)
			}
			return err
		})
	}
	c, err := w.compared("dev/shop/hello", "with=live")
	require.NoError(t, err)
	require.Empty(t, c.Changes, "a field beside those of the manifest is no difference from it")
	resp, err := http.Get(w.api + "/api/v1/instances/dev/shop/hello/manifests?live=true")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(body), `more: by hand`, "but it is shown")
	_, err = w.compared("dev/shop/hello", "with=next")
	require.ErrorContains(t, err, "no release of shop/hello waits for dev")

	w.eventually("prod has the note", func() error {
		return w.shows("prod", "hello", func(p status.Placement) bool { return p.Stage == status.Healthy })
	})
	before := w.git(w.dir, "-C", "state-dev.git", "rev-parse", "main")
	w.push("approvals", map[string]string{"environments/prod.yaml": prodOfNotes("soak: 1s, approval: required")})
	w.push("1.1.0", filesOf(published("note", "1.1.0", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: second}\n---\n"+quota)))
	differs("prod/shop/hello", "with=next", "first", "second")
	differs("dev/shop/hello", "with="+before, "first", "second")
	now, err := w.standing("dev", "hello")
	require.NoError(t, err)
	differs("dev/shop/hello", "from="+in.Release+"&to="+now.Release, "first", "second")
	differs("dev/shop/hello", "from="+now.Release+"&to="+before, "second", "first")
	differs("dev/shop/hello", "from=live&to="+before, "second", "first")
	c, err = w.compared("prod/shop/hello", "with=dev")
	require.NoError(t, err)
	require.Equal(t, "dev/one", c.From)
	require.NotEmpty(t, c.Changes)
}

// filesOf are the files of an archive.
func filesOf(archive string) map[string]string {
	all := map[string]string{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		all[f.Name] = string(f.Data)
	}
	return all
}
