package apply_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/sealed"
)

// A vault is an identity, as the daemon is given it.
type vault struct {
	*testing.T
	recipient string
	keys      *sealed.Keys
}

func newVault(t *testing.T) vault {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := sealed.ReadKeys([]byte(id.String()))
	require.NoError(t, err)
	return vault{t, id.Recipient().String(), keys}
}

func (v vault) open() (*sealed.Keys, error) { return v.keys, nil }

// secret is a sealed Secret as the state repository has it.
func (v vault) secret(s sealed.Subject, values map[string]string) string {
	data, err := sealed.Seal(s, []string{v.recipient}, values, time.Now())
	require.NoError(v, err)
	f, problems := sealed.Read(data, s, []string{v.recipient})
	require.Empty(v, problems)
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  annotations:\n    transom.dev/sealed: a, b?\n    %s: %s\n%s%s",
		sealed.AnnotationFor, f.For, f.BlockText(), f.ValuesText())
}

const neighbour = "{apiVersion: v1, kind: ConfigMap, metadata: {name: beside}, data: {a: b}}"

func (r *rig) subject(request string) sealed.Subject {
	return sealed.Subject{Team: r.team, Request: request, Environment: "test"}
}

// given is an instance with a sealed Secret and a neighbour, on a daemon that has keys.
func (r *rig) given(v vault, manifest string) apply.Instance {
	in := r.instance("shop", documents(manifest, neighbour))
	in.Keys = v.open
	return in
}

func TestSealedSecretIsOpenedInItsClusterOnly(t *testing.T) {
	r := newRig(t, &apiOnly)
	v := newVault(t)
	in := r.given(v, v.secret(r.subject("shop"), map[string]string{"a": "orchard", "b": "two\nlines \u2603\n"}))
	r.healthy(in)
	s := r.secret("keys")
	require.Equal(t, map[string][]byte{"a": []byte("orchard"), "b": []byte("two\nlines \u2603\n")}, s.Data)
	require.NotContains(t, s.Annotations, sealed.AnnotationFor)
	r.quiet()

	// At rest nothing is opened, so that a key that went away stops nothing.
	in.Keys = func() (*sealed.Keys, error) { return nil, errors.New("it is asked for a key") }
	require.Empty(t, r.healthy(in).Changes)

	// Another value is another revision; one that is gone goes; what somebody changed comes back.
	again := r.given(v, v.secret(r.subject("shop"), map[string]string{"a": "meadow"}))
	require.Len(t, r.healthy(again).Changes, 1)
	require.Equal(t, map[string][]byte{"a": []byte("meadow")}, r.secret("keys").Data)
	s = r.secret("keys")
	s.Data["a"] = []byte("by hand")
	_, err := r.kube.CoreV1().Secrets(r.team).Update(t.Context(), s, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	r.told(again.Owner)
	require.Eventually(t, func() bool {
		r.healthy(again)
		return string(r.secret("keys").Data["a"]) == "meadow"
	}, patience, 50*time.Millisecond)
}

func TestSealedSecretThatDoesNotOpenLeavesAllAsItIs(t *testing.T) {
	r := newRig(t, &apiOnly)
	v, other := newVault(t), newVault(t)
	runs := r.given(v, v.secret(r.subject("shop"), map[string]string{"a": "orchard"}))
	r.healthy(runs)
	foreign := r.subject("shop")
	foreign.Team = "orders"
	good := v.secret(r.subject("shop"), map[string]string{"a": "meadow"})
	unsealed, _, _ := strings.Cut(good, "sops:")
	for name, c := range map[string]struct{ manifest, says string }{
		"another key":      {other.secret(r.subject("shop"), map[string]string{"a": "meadow"}), "is sealed for " + other.recipient + ", and none of the 1 identities at hand is theirs"},
		"another team's":   {v.secret(foreign, map[string]string{"a": "meadow"}), "it is sealed for another request or environment than " + r.subject("shop").String()},
		"another request":  {v.secret(r.subject("cart"), map[string]string{"a": "meadow"}), "it is sealed for another request or environment than"},
		"a MAC over all":   {strings.Replace(good, "mac_only_encrypted: true", "mac_only_encrypted: false", 1), "its MAC is not that of its values"},
		"a value unsealed": {unsealed + "stringData:\n  a: meadow\n", "its values are not sealed; render it anew"},
		"truncated":        {strings.Replace(good, "-----END AGE", "-----AGE", 1), "its data key is damaged; seal its values again: transom secret set"},
	} {
		t.Run(name, func(t *testing.T) {
			in := r.instance("shop", documents(c.manifest, strings.Replace(neighbour, "a: b", "a: c", 1)))
			in.Keys = v.open
			result := r.visit(in)
			require.Len(t, result.Problems, 1)
			require.Contains(t, result.Problems[0].Message, c.says)
			require.Empty(t, result.Changes, "nothing of the instance is written")
			require.NotContains(t, fmt.Sprintf("%+v", result), "meadow")
			require.Equal(t, map[string][]byte{"a": []byte("orchard")}, r.secret("keys").Data, "and what runs stays")
		})
	}
	in := r.given(v, good)
	in.Keys = nil
	require.Contains(t, r.visit(in).Problems[0].Message, "there is no identity to open it with; give the daemon one of "+v.recipient)
	in.Keys = v.open // a key that comes is all that it takes
	r.healthy(in)
	require.Equal(t, map[string][]byte{"a": []byte("meadow")}, r.secret("keys").Data)
}

// pullSecret is an image pull secret as the state repository has it.
func (v vault) pullSecret(s sealed.Subject, value string) string {
	data, err := sealed.Seal(s, []string{v.recipient}, map[string]string{sealed.PullKey: value}, time.Now())
	require.NoError(v, err)
	f, problems := sealed.Read(data, s, []string{v.recipient})
	require.Empty(v, problems)
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop-registry\n  annotations:\n    %s: %s\n    transom.dev/pull-secret: registry\n%s%stype: %s\n",
		sealed.AnnotationFor, f.For, f.BlockText(), f.ValuesText(), sealed.PullType)
}

// An image pull secret is the environment's, opened for each instance, and goes with the instance.
func TestAnImagePullSecretIsOpenedInItsEnvironment(t *testing.T) {
	r := newRig(t, &apiOnly)
	v := newVault(t)
	own := sealed.Subject{Environment: "test", PullSecret: "registry"}
	const logins = `{"auths":{"registry.example.com":{"auth":"b3JjaGFyZA=="}}}`
	in := r.given(v, v.pullSecret(own, logins))
	r.healthy(in)
	s := r.secret("shop-registry")
	require.Equal(t, map[string][]byte{sealed.PullKey: []byte(logins)}, s.Data)
	require.Equal(t, sealed.PullType, string(s.Type))
	r.quiet()

	unsealed, _, _ := strings.Cut(v.pullSecret(own, "{}"), "sops:")
	for name, c := range map[string]struct{ manifest, says string }{
		"another environment's": {v.pullSecret(sealed.Subject{Environment: "prod", PullSecret: "registry"}, "{}"), "it is sealed for another image pull secret or environment than test/registry; seal its values again: transom secret set registry -e test"},
		"another one":           {v.pullSecret(sealed.Subject{Environment: "test", PullSecret: "mirror"}, "{}"), "it is sealed for another image pull secret or environment than test/registry"},
		"a request's":           {v.pullSecret(sealed.Subject{Team: r.team, Request: "shop", Environment: "test"}, "{}"), "it is sealed for another image pull secret or environment"},
		"another key":           {newVault(t).pullSecret(own, "{}"), "none of the 1 identities at hand is theirs"},
		"a plaintext value":     {unsealed + "stringData: {.dockerconfigjson: '{}'}\ntype: " + sealed.PullType + "\n", "its values are not sealed; render it anew"},
	} {
		t.Run(name, func(t *testing.T) {
			in := r.instance("shop", documents(c.manifest, strings.Replace(neighbour, "a: b", "a: c", 1)))
			in.Keys = v.open
			result := r.visit(in)
			require.Len(t, result.Problems, 1)
			require.Contains(t, result.Problems[0].Message, c.says)
			require.Empty(t, result.Changes, "nothing of the instance is written")
			require.JSONEq(t, logins, string(r.secret("shop-registry").Data[sealed.PullKey]), "and what runs stays")
		})
	}

	// The API server refuses a value that is no JSON, and no value is in the answer that people see.
	broken := r.given(v, v.pullSecret(own, "hunter2"))
	result, err := r.Apply(t.Context(), broken)
	said := fmt.Sprintf("%+v %v", result, err)
	require.Contains(t, said, "shop-registry")
	require.NotContains(t, said, "hunter2")
	require.JSONEq(t, logins, string(r.secret("shop-registry").Data[sealed.PullKey]))

	// Dropped, it goes; its neighbour stays.
	r.healthy(r.instance("shop", documents(neighbour)))
	_, err = r.kube.CoreV1().Secrets(r.team).Get(t.Context(), "shop-registry", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

// A webhook may say all that it was asked about.
func TestSealedValueIsInNoAnswer(t *testing.T) {
	r := newRig(t, &apiOnly)
	v := newVault(t)
	in := r.given(v, v.secret(r.subject("shop"), map[string]string{"a": "or\"chard"}))
	for _, code := range []int{http.StatusUnprocessableEntity, http.StatusInternalServerError} {
		r.calls.standIn(func(q *http.Request) *http.Response {
			if q.Method != http.MethodPatch || !strings.Contains(q.URL.Path, "/secrets/keys") {
				return nil
			}
			body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":%d,"message":"denied: or\"chard is %s"}`,
				code, base64.StdEncoding.EncodeToString([]byte("or\"chard")))
			return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
		})
		result, err := r.Apply(t.Context(), in)
		said := fmt.Sprintf("%+v %v", result, err)
		require.Regexp(t, `Invalid|denied: \*\*\* is \*\*\*`, said)
		require.NotContains(t, said, "chard")
		require.NotContains(t, said, base64.StdEncoding.EncodeToString([]byte("or\"chard")))
	}
}
