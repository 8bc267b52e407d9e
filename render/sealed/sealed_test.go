package sealed_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"transom.dev/render/sealed"
)

var (
	shop   = sealed.Subject{Team: "payments", Request: "shop", Environment: "prod"}
	values = map[string]string{"key10": "ten", "key2": "two", "stripe-key": "sk_live_51H", "true": "yes", "tls.key": "a\nb\n"}
)

// pair is a recipient with its keys.
func pair(t *testing.T) (string, *sealed.Keys) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := sealed.ReadKeys([]byte("# a comment\n" + id.String() + "\n"))
	require.NoError(t, err)
	return id.Recipient().String(), keys
}

func seal(t *testing.T, s sealed.Subject, values map[string]string, recipients ...string) string {
	t.Helper()
	data, err := sealed.Seal(s, recipients, values, time.Date(2026, 5, 4, 13, 37, 0, 0, time.UTC))
	require.NoError(t, err)
	return string(data)
}

func TestWhatWasSealedOpensForEachRecipient(t *testing.T) {
	one, keys := pair(t)
	two, more := pair(t)
	file := seal(t, shop, values, one, two)
	for _, value := range values {
		require.NotContains(t, file, " "+value)
	}
	read, problems := sealed.Read([]byte(file), shop, []string{two, one})
	require.Empty(t, problems)
	require.Len(t, read.Values, len(values))
	for _, k := range []*sealed.Keys{keys, more, keys.And(more)} {
		opened, err := k.Open([]byte(file), shop)
		require.NoError(t, err)
		require.Equal(t, values, opened)
	}
}

// The MAC covers the values in their order, and not the name and labels, which are the instance's in the state repository.
func TestTheFormOfTheStateRepositoryOpens(t *testing.T) {
	recipient, keys := pair(t)
	read, problems := sealed.Read([]byte(seal(t, shop, values, recipient)), shop, []string{recipient})
	require.Empty(t, problems)
	manifest := fmt.Sprintf("kind: Secret\nmetadata:\n  annotations:\n    %s: %s\n  labels:\n    a: b\n  name: payments-shop\n%s%s",
		sealed.AnnotationFor, read.For, read.BlockText(), read.ValuesText())
	opened, err := keys.Open([]byte(manifest), shop)
	require.NoError(t, err)
	require.Equal(t, values, opened)
}

func TestSealingTwiceHasNothingInCommon(t *testing.T) {
	recipient, _ := pair(t)
	one, _ := sealed.Read([]byte(seal(t, shop, values, recipient)), shop, []string{recipient})
	two, _ := sealed.Read([]byte(seal(t, shop, values, recipient)), shop, []string{recipient})
	for key := range values {
		require.NotEqual(t, one.Values[key], two.Values[key])
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	recipient, keys := pair(t)
	_, foreign := pair(t)
	file := seal(t, shop, values, recipient)
	lines := strings.Split(file, "\n")
	value := func(of, key string) string {
		for line := range strings.Lines(of) {
			if _, text, ok := strings.Cut(line, key+`": `); ok {
				return strings.TrimSpace(text)
			}
		}
		t.Fatal(key)
		return ""
	}
	again := "; seal its values again: transom secret set payments/shop KEY -e prod"
	for name, c := range map[string]struct {
		keys *sealed.Keys
		file string
		says string
	}{
		"no identity": {nil, file, "there is no identity to open it with; give the daemon one of " + recipient + " by --age-identities"},
		"another identity": {foreign, file, "it is sealed for " + recipient + ", and none of the 1 identities at hand is theirs; give the daemon theirs by " +
			"--age-identities, or seal its values again: transom secret set payments/shop KEY -e prod"},
		"another team's file":        {keys, seal(t, sealed.Subject{Team: "orders", Request: "shop", Environment: "prod"}, values, recipient), "it is sealed for another request or environment than payments/shop/prod" + again},
		"another environment's file": {keys, seal(t, sealed.Subject{Team: "payments", Request: "shop", Environment: "dev"}, values, recipient), "it is sealed for another request or environment than payments/shop/prod" + again},
		"the subject of another file": {
			keys, strings.Replace(file, lines[5], strings.Split(seal(t, shop, values, recipient), "\n")[5], 1),
			"its value transom.dev/sealed-for was changed or moved since it was sealed" + again,
		},
		"no subject":              {keys, strings.Replace(file, lines[5]+"\n", "", 1), "its MAC is not that of its values: one was added, removed or changed since they were sealed" + again},
		"a value less":            {keys, strings.Replace(file, `  "key2": `+value(file, "key2")+"\n", "", 1), "its MAC is not that of its values: one was added, removed or changed since they were sealed" + again},
		"values that changed":     {keys, strings.NewReplacer(value(file, "key10"), value(file, "key2"), value(file, "key2"), value(file, "key10")).Replace(file), "its value key10 was changed or moved since it was sealed" + again},
		"keys that changed":       {keys, strings.Replace(file, `"key10":`, `"key11":`, 1), "its value key11 was changed or moved since it was sealed" + again},
		"a plaintext value":       {keys, strings.Replace(file, value(file, "key2"), "two", 1), "its value key2 was changed or moved since it was sealed" + again},
		"a MAC of other values":   {keys, strings.Replace(file, "mac_only_encrypted: true", "mac_only_encrypted: false", 1), "its MAC is not that of its values: one was added, removed or changed since they were sealed" + again},
		"another time":            {keys, strings.Replace(file, "13:37", "13:38", 1), "its MAC is not that of its values: one was added, removed or changed since they were sealed" + again},
		"a regex that seals less": {keys, strings.Replace(file, "encrypted_regex: ^(stringData|", "encrypted_regex: ^(", 1), `its sops.encrypted_regex is not ^(stringData|transom\.dev/sealed-for)$` + again},
		"truncated":               {keys, file[:len(file)/2], "its sops.lastmodified is no time" + again},
		"a truncated data key":    {keys, dropLine(file, "-----END AGE"), "its data key is damaged" + again},
		"no block":                {keys, before(file, "sops:"), "its field sops cannot be read" + again},
		"no YAML":                 {keys, "a: [", "it cannot be read as YAML" + again},
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := c.keys.Open([]byte(c.file), shop)
			require.EqualError(t, err, c.says)
			require.Empty(t, opened)
		})
	}
}

func dropLine(file, with string) string {
	var kept []string
	for _, line := range strings.Split(file, "\n") {
		if !strings.Contains(line, with) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestWhatIsNoFileOfSealedValues(t *testing.T) {
	recipient, _ := pair(t)
	other, _ := pair(t)
	file := seal(t, shop, map[string]string{"a": "1", "b": "2"}, recipient)
	set := "transom secret set payments/shop "
	replace := func(old, by string) string {
		require.Contains(t, file, old)
		return strings.Replace(file, old, by, 1)
	}
	line := func(n int) string { return strings.Split(file, "\n")[n-1] + "\n" }
	for name, c := range map[string]struct{ file, says string }{
		"empty":     {"", "1:1: : holds no Secret; write it with: " + set + "KEY -e prod"},
		"a list":    {"- a\n", "1:1: : holds no Secret; write it with: " + set + "KEY -e prod"},
		"plaintext": {"apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\nstringData:\n  a: hunter2\n", "4:3: metadata.annotations: lacks transom.dev/sealed-for"},
		"a plaintext value beside": {
			replace(line(7), line(7)+"  \"aa\": hunter2\n"), "8:3: stringData.aa: is not sealed: anybody who reads the repository has its value, or it is damaged; " +
				"take it back, change the value where it comes from, and write it with: " + set + "aa -e prod",
		},
		"a number":                 {replace(line(7), line(7)+"  \"aa\": 4711\n"), "8:3: stringData.aa: is not sealed: anybody"},
		"a damaged value":          {replace("type:str]\n  \"b\"", "type:str\n  \"b\""), "8:3: stringData.a: is not sealed"},
		"a sealed number":          {replace("type:str]\n  \"b\"", "type:int]\n  \"b\""), `8:3: stringData.a: was sealed as int, and a Secret has texts only; write it in quotes with "sops edit", or seal it again: ` + set + "a -e prod"},
		"data":                     {replace("stringData:", "data:"), "7:1: data: values are sealed in stringData, as text; write them with: " + set + "KEY -e prod"},
		"a type":                   {replace("stringData:", "type: Opaque\nstringData:"), "7:1: type: means nothing here: a file of sealed values has apiVersion, kind, metadata, stringData and sops, and all else of the Secret comes from the offering; remove it"},
		"a namespace":              {replace("  name: shop\n", "  name: shop\n  namespace: payments\n"), "5:3: metadata.namespace: means nothing here: it comes from the offering; remove it"},
		"an annotation":            {replace("  annotations:\n", "  annotations:\n    a: b\n"), "6:5: metadata.annotations.a: means nothing here: annotations come from the offering; remove it"},
		"another name":             {replace("name: shop", "name: cart"), "4:9: metadata.name: must be shop"},
		"another kind":             {replace("kind: Secret", "kind: ConfigMap"), "2:7: kind: must be Secret"},
		"the order":                {replace(line(8)+line(9), line(9)+line(8)), "9:3: stringData.a: must come before b: the MAC covers the values in their order"},
		"an open subject":          {replace(line(6), "    transom.dev/sealed-for: payments/shop/prod\n"), "6:5: metadata.annotations.transom.dev/sealed-for: is not sealed"},
		"a missing subject":        {replace("  annotations:\n"+line(6), ""), "4:3: metadata.annotations: lacks"},
		"another cloud":            {replace("  encrypted_regex", "  kms:\n  - arn: a\n  encrypted_regex"), "kms: is not supported: values are sealed for age recipients, by encrypted_regex"},
		"another regex":            {replace("encrypted_regex: ^(stringData|", "encrypted_regex: ^("), `sops.encrypted_regex: must be ^(stringData|transom\.dev/sealed-for)$, so that the values and nothing else are sealed`},
		"a MAC over all":           {replace("  mac_only_encrypted: true\n", ""), "sops.mac_only_encrypted: must be true: a MAC over all of the file would not be that of the Secret"},
		"a damaged MAC":            {replace("  mac: ENC[", "  mac: EN["), "sops.mac: is damaged; seal the values again: " + set + "KEY -e prod"},
		"no time":                  {replace("2026-05-04", "yesterday "), "sops.lastmodified: must be a time such as 2026-05-04T13:37:00Z"},
		"a key cut off":            {dropLine(file, "END AGE"), "sops.age[0].enc: is damaged; seal the values again: " + set + "KEY -e prod"},
		"a recipient that is none": {replace(recipient, "age1nobody"), `sops.age[0].recipient: "age1nobody" is no age recipient; it begins with age1, and "age-keygen -y FILE" prints it`},
		"another recipient":        {seal(t, shop, values, other), "is not sealed for " + recipient + ", which reads the secrets of payments in prod; seal the values again: " + set + "KEY -e prod"},
		"a recipient more":         {seal(t, shop, values, recipient, other), "sops.age: is sealed for " + other + ", which is not to read the secrets of payments in prod"},
		"truncated":                {before(file, "  encrypted_regex"), "sops: lacks one of age, encrypted_regex, lastmodified and mac"},
	} {
		t.Run(name, func(t *testing.T) {
			read, problems := sealed.Read([]byte(c.file), shop, []string{recipient})
			require.Nil(t, read)
			var said strings.Builder
			for _, p := range problems {
				fmt.Fprintf(&said, "%d:%d: %s: %s\n", p.Line, p.Column, p.Field, p.Message)
			}
			require.Contains(t, said.String(), c.says)
			require.NotContains(t, said.String(), "hunter2", "no value is told")
			require.NotContains(t, said.String(), "4711", "no value is told")
		})
	}
}

// The values and their MAC stay as they are, byte for byte, so that nobody has to type a value again.
func TestRekeyingChangesTheRecipientsAlone(t *testing.T) {
	old, oldKeys := pair(t)
	next, nextKeys := pair(t)
	_, foreign := pair(t)
	file := seal(t, shop, values, old)
	anew, problems, err := oldKeys.Rekey([]byte(file), shop, []string{next})
	require.NoError(t, err)
	require.Empty(t, problems)
	was, _ := sealed.Read([]byte(file), shop, []string{old})
	is, problems := sealed.Read(anew, shop, []string{next})
	require.Empty(t, problems)
	require.Equal(t, was.ValuesText(), is.ValuesText())
	require.Equal(t, was.For, is.For)
	_, unchanged, _ := strings.Cut(file, "  encrypted_regex")
	_, kept, _ := strings.Cut(string(anew), "  encrypted_regex")
	require.NotEmpty(t, unchanged)
	require.Equal(t, unchanged, kept)
	opened, err := nextKeys.Open(anew, shop)
	require.NoError(t, err)
	require.Equal(t, values, opened)
	_, err = oldKeys.Open(anew, shop)
	require.ErrorContains(t, err, "it is sealed for "+next+", and none of the 1 identities at hand is theirs")

	both, _, err := nextKeys.Rekey(anew, shop, []string{old, next})
	require.NoError(t, err)
	for _, keys := range []*sealed.Keys{oldKeys, nextKeys, foreign.And(oldKeys)} {
		opened, err := keys.Open(both, shop)
		require.NoError(t, err)
		require.Equal(t, values, opened)
	}

	// A file that is not in order is not made to look so.
	other := sealed.Subject{Team: "orders", Request: "shop", Environment: "prod"}
	_, _, err = oldKeys.Rekey([]byte(seal(t, other, values, old)), shop, []string{next})
	require.ErrorContains(t, err, "it is sealed for another request or environment than payments/shop/prod")
	_, _, err = foreign.Rekey([]byte(file), shop, []string{next})
	require.ErrorContains(t, err, "none of the 1 identities at hand is theirs")
	_, problems, err = oldKeys.Rekey([]byte(strings.Replace(file, "stringData:\n", "stringData:\n  a: hunter2\n", 1)), shop, []string{next})
	require.NoError(t, err)
	require.Contains(t, problems[0].Message, "is not sealed")
	_, _, err = oldKeys.Rekey([]byte(strings.Replace(file, "13:37", "13:38", 1)), shop, []string{next})
	require.ErrorContains(t, err, "its MAC is not that of its values")
	_, _, err = oldKeys.Rekey([]byte(file), shop, []string{"age1nobody"})
	require.ErrorContains(t, err, "is no age recipient")
}

var registry = sealed.Subject{Environment: "prod", PullSecret: "registry"}

func TestAnImagePullSecretOpensInItsEnvironmentOnly(t *testing.T) {
	recipient, keys := pair(t)
	logins := map[string]string{sealed.PullKey: `{"auths":{"registry.example.com":{"auth":"b3JjaGFyZA=="}}}`}
	file := seal(t, registry, logins, recipient)
	require.NotContains(t, file, "registry.example.com")
	read, problems := sealed.Read([]byte(file), registry, []string{recipient})
	require.Empty(t, problems)
	require.Len(t, read.Values, 1)
	opened, err := keys.Open([]byte(file), registry)
	require.NoError(t, err)
	require.Equal(t, logins, opened)

	typed := strings.Replace(file, "stringData:", "type: "+sealed.PullType+"\nstringData:", 1)
	_, problems = sealed.Read([]byte(typed), registry, []string{recipient})
	require.Empty(t, problems, "kubectl and sops write the type")

	for _, other := range []sealed.Subject{
		{Environment: "dev", PullSecret: "registry"},
		{Environment: "prod", PullSecret: "mirror"},
		{Team: "prod", Request: "registry", Environment: "prod"},
		{Team: "prod", Request: "registry"},
	} {
		_, err := keys.Open([]byte(file), other)
		require.ErrorContains(t, err, "it is sealed for another", other.String())
	}
	_, err = keys.Open([]byte(seal(t, shop, logins, recipient)), registry)
	require.EqualError(t, err, "it is sealed for another image pull secret or environment than prod/registry; seal its values again: transom secret set registry -e prod")
}

func TestWhatIsNoImagePullSecret(t *testing.T) {
	recipient, _ := pair(t)
	other, _ := pair(t)
	file := seal(t, registry, map[string]string{sealed.PullKey: "{}"}, recipient)
	replace := func(old, by string) string {
		require.Contains(t, file, old)
		return strings.Replace(file, old, by, 1)
	}
	for name, c := range map[string]struct{ file, says string }{
		"another type":        {replace("stringData:", "type: Opaque\nstringData:"), "type: must be kubernetes.io/dockerconfigjson, or be left out: an image pull secret has no other type"},
		"another key":         {seal(t, registry, map[string]string{"password": "a"}, recipient), "stringData: lacks the key .dockerconfigjson, whose value is the JSON with the logins of registries; write it with: transom secret set registry -e prod"},
		"a key more":          {seal(t, registry, map[string]string{sealed.PullKey: "{}", "a": "b"}, recipient), "stringData: a means nothing here: an image pull secret has the key .dockerconfigjson alone; remove it"},
		"no key":              {replace(file[strings.Index(file, "  \".docker"):strings.Index(file, "sops:")], "  {}\n"), "stringData: lacks the key .dockerconfigjson"},
		"plaintext":           {"apiVersion: v1\nkind: Secret\nmetadata:\n  name: registry\nstringData:\n  .dockerconfigjson: hunter2\n", "stringData..dockerconfigjson: is not sealed: anybody who reads the repository has its value"},
		"data":                {replace("stringData:", "data:"), "data: values are sealed in stringData, as text; write them with: transom secret set registry -e prod"},
		"another name":        {replace("name: registry", "name: mirror"), "metadata.name: must be registry"},
		"immutable":           {replace("stringData:", "immutable: true\nstringData:"), "immutable: means nothing here: a file of sealed values has apiVersion, kind, metadata, stringData and sops, and all else of the Secret comes from Transom; remove it"},
		"another recipient":   {seal(t, registry, map[string]string{sealed.PullKey: "{}"}, other), "sops.age: is not sealed for " + recipient + ", which reads the image pull secrets of prod; seal the values again: transom secret set registry -e prod, or have"},
		"a file of a request": {seal(t, shop, map[string]string{sealed.PullKey: "{}"}, recipient), "metadata.name: must be registry"},
	} {
		t.Run(name, func(t *testing.T) {
			read, problems := sealed.Read([]byte(c.file), registry, []string{recipient})
			require.Nil(t, read)
			var said strings.Builder
			for _, p := range problems {
				fmt.Fprintf(&said, "%s: %s\n", p.Field, p.Message)
			}
			require.Contains(t, said.String(), c.says)
			require.NotContains(t, said.String(), "hunter2", "no value is told")
		})
	}
}

func TestAnIdentityIsNeverRepeated(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	err = sealed.CheckRecipient(id.String())
	require.EqualError(t, err, `"AGE-…" is no age recipient; it begins with age1, and "age-keygen -y FILE" prints it`)
	_, err = sealed.ReadKeys([]byte(id.String()[:40]))
	require.EqualError(t, err, `it holds no age identities; each is a line that begins with AGE-SECRET-KEY-, as "age-keygen" writes it`)
	require.Error(t, sealed.CheckKey("../a"))
	require.Error(t, sealed.CheckKey("a b"))
	require.NoError(t, sealed.CheckKey("tls.key"))
}

// before is the part of a file that comes before a text.
func before(file, text string) string {
	part, _, _ := strings.Cut(file, text)
	return part
}
