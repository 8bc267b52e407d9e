package render_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/sealed"
)

// A safe is a platform whose offering asks for sealed values, with the keys of its environment dev.
type safe struct {
	*testing.T
	files     fstest.MapFS
	recipient string
	keys      *sealed.Keys
}

func newSafe(t *testing.T, annotations string) *safe {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := sealed.ReadKeys([]byte(id.String()))
	require.NoError(t, err)
	s := &safe{t, common(), id.Recipient().String(), keys}
	header := "apiVersion: transom.dev/v1alpha1\nkind: "
	s.put("environments/dev.yaml", strings.TrimSuffix(string(s.files["environments/dev.yaml"].Data), "\n")+"\n  secrets: {recipients: {payments: ["+s.recipient+"]}}\n")
	s.put("offerings/shop/offering.yaml", header+"Offering\nmetadata: {name: shop}\nspec: {title: T}\n")
	s.put("offerings/shop/1.0.0/version.yaml", header+"Version\nmetadata: {name: shop}\nspec: {scope: namespaced}\n")
	s.put("offerings/shop/1.0.0/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n")
	s.put("offerings/shop/1.0.0/a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {"+annotations+"}}\ntype: Opaque\n"+
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\ndata: {a: b}\n")
	s.put("requests/payments/shop.yaml", header+"Request\nmetadata: {name: shop}\nspec:\n  offering: shop\n  version: \"1\"\n  environments: {dev: {}}\n")
	return s
}

func (s *safe) put(name, content string) { put(s.files, name, []byte(content)) }

func (s *safe) seal(at string, of sealed.Subject, values map[string]string) {
	data, err := sealed.Seal(of, []string{s.recipient}, values, time.Now())
	require.NoError(s, err)
	s.put(at, string(data))
}

var (
	inDev    = sealed.Subject{Team: "payments", Request: "shop", Environment: "dev"}
	sealedAt = "requests/payments/shop.dev.secret.yaml"
)

const rendered = "clusters/dev/payments/shop.yaml"

func (s *safe) render() (string, []string) {
	s.Helper()
	p := load(s, s.files)
	made := renderAll(s, p, "dev", nil)
	return string(made.Changes[rendered]), append(problemsOf(p.Problems), problemsOf(made.Problems)...)
}

func TestSealedValuesStaySealedInTheState(t *testing.T) {
	s := newSafe(t, `transom.dev/sealed: "stripe-key, smtp-password?"`)
	s.seal(sealedAt, inDev, map[string]string{"stripe-key": "sk_live_51H", "smtp-password": "orchard"})
	manifest, problems := s.render()
	require.Empty(t, problems)
	require.NotContains(t, manifest, "orchard")
	require.NotContains(t, manifest, "sk_live")
	secret := manifest[strings.Index(manifest, "---\n")+4:]
	if strings.Contains(secret, "ConfigMap") {
		secret, _, _ = strings.Cut(manifest, "---\n")
	}
	opened, err := s.keys.Open([]byte(secret), inDev)
	require.NoError(t, err, manifest)
	require.Equal(t, map[string]string{"stripe-key": "sk_live_51H", "smtp-password": "orchard"}, opened)

	again, _ := s.render()
	require.Equal(t, manifest, again, "the same bytes as long as the file is the same")
	s.seal(sealedAt, inDev, map[string]string{"stripe-key": "sk_live_51H", "smtp-password": "orchard"})
	other, _ := s.render()
	require.NotEqual(t, manifest, other)

	base, err := render.ReadBase(commit(fstest.MapFS{}, renderAll(t, load(t, s.files), "dev", nil).Changes))
	require.NoError(t, err)
	require.Empty(t, renderAll(t, load(t, s.files), "dev", base).Changes, "at rest nothing changes")
	s.seal(sealedAt, inDev, map[string]string{"stripe-key": "sk_live_52H"})
	after := renderAll(t, load(t, s.files), "dev", base)
	require.Contains(t, after.Changes, rendered, "another value is another revision")
}

func TestAPlanSaysThatSealedValuesChange(t *testing.T) {
	s := newSafe(t, `transom.dev/sealed: "stripe-key"`)
	s.seal(sealedAt, inDev, map[string]string{"stripe-key": "sk_live_51H"})
	base, err := render.ReadBase(commit(fstest.MapFS{}, renderAll(t, load(t, s.files), "dev", nil).Changes))
	require.NoError(t, err)
	s.seal(sealedAt, inDev, map[string]string{"stripe-key": "sk_live_52H"})
	changes, err := preview.Changes(base, renderAll(t, load(t, s.files), "dev", base))
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Contains(t, changes[0].Diff, "+  stripe-key: '*** (differs)'")
	require.NotContains(t, changes[0].Diff, "ENC[")
	require.NotContains(t, changes[0].Diff, "BEGIN AGE")
}

func TestWhatIsWrongWithSealedValues(t *testing.T) {
	for name, c := range map[string]struct {
		annotations string
		change      func(s *safe)
		says        string
	}{
		"none are given": {
			`transom.dev/sealed: "stripe-key, smtp-password"`, func(s *safe) { s.put(sealedAt, "") },
			"[dev payments/shop] requests/payments/shop.dev.secret.yaml: shop@1.0.0 needs stripe-key, smtp-password, which the request does not give; " +
				"seal what is missing: transom secret set payments/shop stripe-key smtp-password -e dev",
		},
		"one is missing": {
			`transom.dev/sealed: "stripe-key, smtp-password"`, func(*safe) {},
			"shop@1.0.0 needs smtp-password, which the request does not give; seal what is missing: transom secret set payments/shop smtp-password -e dev",
		},
		"one too many":  {`transom.dev/sealed: "other?"`, func(*safe) {}, "shop@1.0.0 does not list stripe-key, which the Secret has all the same"},
		"nothing asks":  {`a: b`, func(*safe) {}, "requests/payments/shop.dev.secret.yaml: warning: shop@1.0.0 asks for no values, so that these go nowhere until a version comes that does; if none will, delete the file"},
		"no keys":       {`transom.dev/sealed: ""`, func(*safe) {}, "annotates the Secret shop-keys transom.dev/sealed, without keys"},
		"a bad key":     {`transom.dev/sealed: "a b"`, func(*safe) {}, `where "a b" is no key of a Secret`},
		"twice":         {`transom.dev/sealed: "stripe-key, stripe-key?"`, func(*safe) {}, "which lists stripe-key twice"},
		"and generated": {`transom.dev/sealed: stripe-key, transom.dev/generate: password, transom.dev/generate-keys: a`, func(*safe) {}, "values are given or generated; make two Secrets of it"},
		"Transom's own": {`transom.dev/sealed: stripe-key, transom.dev/sealed-for: a`, func(*safe) {}, "which is Transom's own; remove it"},
		"another's file": {`transom.dev/sealed: stripe-key`, func(s *safe) {
			s.put(sealedAt, strings.Replace(string(s.files[sealedAt].Data), "name: shop", "name: cart", 1))
		}, "requests/payments/shop.dev.secret.yaml:4:9: metadata.name: must be shop"},
		"plaintext beside": {`transom.dev/sealed: stripe-key`, func(s *safe) {
			s.put(sealedAt, strings.Replace(string(s.files[sealedAt].Data), "stringData:\n", "stringData:\n  a: hunter2\n", 1))
		}, "requests/payments/shop.dev.secret.yaml:8:3: stringData.a: is not sealed"},
		"no recipients": {
			`transom.dev/sealed: stripe-key`, func(s *safe) { s.put("environments/dev.yaml", string(common()["environments/dev.yaml"].Data)) },
			"there is nobody to seal for: name the age recipients of payments under spec.secrets.recipients in environments/dev.yaml",
		},
		"no such request":     {`transom.dev/sealed: stripe-key`, func(s *safe) { s.put("requests/payments/shpo.dev.secret.yaml", "a: b\n") }, `requests/payments/shpo.dev.secret.yaml: there is no request payments/shpo; delete the file, or rename it after its request; did you mean "shop"?`},
		"no such environment": {`transom.dev/sealed: stripe-key`, func(s *safe) { s.put("requests/payments/shop.prod.secret.yaml", "a: b\n") }, "requests/payments/shop.prod.secret.yaml: request payments/shop is not in prod; delete the file, or rename it after one of dev"},
		"no environment":      {`transom.dev/sealed: stripe-key`, func(s *safe) { s.put("requests/payments/shop.secret.yaml", "a: b\n") }, "requests/payments/shop.secret.yaml: means nothing here: sealed values are in requests/<team>/<request>.<environment>.secret.yaml; rename it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSafe(t, c.annotations)
			s.seal(sealedAt, inDev, map[string]string{"stripe-key": "sk_live_51H"})
			c.change(s)
			_, problems := s.render()
			require.Contains(t, strings.Join(problems, "\n"), c.says)
			require.NotContains(t, strings.Join(problems, "\n"), "hunter2")
		})
	}
}

func TestRecipientsOfAnEnvironment(t *testing.T) {
	s := newSafe(t, `a: b`)
	s.put("environments/dev.yaml", strings.Replace(string(s.files["environments/dev.yaml"].Data), "payments: ["+s.recipient, `"*": [], A_B: [age1nobody], payments: [`+s.recipient+", "+s.recipient, 1))
	_, problems := s.render()
	said := strings.Join(problems, "\n")
	require.Contains(t, said, "names no recipient")
	require.Contains(t, said, `"A_B" is no team; name one, or "*" for all others`)
	require.Contains(t, said, `"age1nobody" is no age recipient`)
	require.Contains(t, said, "is there already; remove it")
	e := platform.Environment{Recipients: map[string][]string{"*": {"a"}, "payments": {"b"}}}
	require.Equal(t, []string{"b"}, e.RecipientsOf("payments"))
	require.Equal(t, []string{"a"}, e.RecipientsOf("orders"))
}
