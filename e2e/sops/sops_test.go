package sops_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	sopsage "github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/decrypt"
	"github.com/getsops/sops/v3/keyservice"
	"github.com/getsops/sops/v3/stores/yaml"
	"github.com/stretchr/testify/require"

	"transom.dev/render/sealed"
)

var shop = sealed.Subject{Team: "payments", Request: "shop", Environment: "prod"}

// Values with all that YAML, SOPS and the MAC could stumble over.
var values = map[string]string{
	"stripe-key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
	"1.5":        "1.5", "true": "yes", "key10": "ten", "key2": "two",
	"tls.key":  "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n",
	"unicode":  "pässwörd \u2603 \x00 # not a comment",
	"template": "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
}

func identity(t *testing.T) (*age.X25519Identity, *sealed.Keys) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := sealed.ReadKeys([]byte("# for a test\n" + id.String() + "\n"))
	require.NoError(t, err)
	return id, keys
}

func TestSOPSOpensWhatTransomSealed(t *testing.T) {
	id, _ := identity(t)
	other, _ := identity(t)
	data, err := sealed.Seal(shop, []string{other.Recipient().String(), id.Recipient().String()}, values, time.Now())
	require.NoError(t, err)
	t.Setenv("SOPS_AGE_KEY", id.String())
	plain, err := decrypt.Data(data, "yaml")
	require.NoError(t, err)
	branches, err := yaml.NewStore(&config.YAMLStoreConfig{}).LoadPlainFile(plain)
	require.NoError(t, err)
	opened := map[string]string{}
	for _, item := range branches[0] {
		if item.Key == "stringData" {
			for _, value := range item.Value.(sops.TreeBranch) {
				opened[value.Key.(string)] = value.Value.(string)
			}
		}
	}
	require.Equal(t, values, opened)
	require.Contains(t, string(plain), "transom.dev/sealed-for: payments/shop/prod")

	_, err = decrypt.Data([]byte(strings.Replace(string(data), "key10", "key11", 1)), "yaml")
	require.Error(t, err, "SOPS itself compares paths and the MAC")
}

func TestTransomOpensWhatSOPSSealed(t *testing.T) {
	for _, only := range []bool{true, false} {
		t.Run(fmt.Sprintf("mac_only_encrypted %t", only), func(t *testing.T) {
			id, keys := identity(t)
			data := encrypt(t, id, only, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\n  labels: {stable: \"true\", tier: a}\n  annotations:\n"+
				"    transom.dev/sealed-for: payments/shop/prod\n    count: 3\n    share: 0.50\n    open: true\n    nothing: null\nstringData:\n  a: one\n  b: |\n    two\n    lines\n")
			opened, err := keys.Open(data, shop)
			require.NoError(t, err, string(data))
			require.Equal(t, map[string]string{"a": "one", "b": "two\nlines\n"}, opened)

			_, err = keys.Open([]byte(strings.Replace(string(data), "tier: a", "tier: b", 1)), shop)
			require.Equal(t, only, err == nil, "a MAC over all values covers the label")
			_, err = keys.Open([]byte(strings.Replace(string(data), fmt.Sprintf("mac_only_encrypted: %t", only), "mac_only_encrypted: false", 1)), shop)
			require.Equal(t, !only, err == nil, "a MAC of one kind is none of the other")
		})
	}
}

func TestTransomLoadsWhatSOPSSealed(t *testing.T) {
	id, keys := identity(t)
	data := encrypt(t, id, true, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\n  annotations:\n    transom.dev/sealed-for: payments/shop/prod\nstringData:\n  a: one\n  b: two\n")
	file, problems := sealed.Read(data, shop, []string{id.Recipient().String()})
	require.Empty(t, problems)
	again := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: other\n  annotations:\n    transom.dev/sealed-for: " + file.For + "\n" + file.BlockText() + file.ValuesText()
	opened, err := keys.Open([]byte(again), shop)
	require.NoError(t, err, again)
	require.Equal(t, map[string]string{"a": "one", "b": "two"}, opened)
	t.Setenv("SOPS_AGE_KEY", id.String())
	_, err = decrypt.Data([]byte(again), "yaml")
	require.NoError(t, err, "the form of a state repository is SOPS's too")
}

// TestSOPSOpensAnImagePullSecretThatWasRekeyed in the form of a state repository, with the type and the annotation that Transom adds.
func TestSOPSOpensAnImagePullSecretThatWasRekeyed(t *testing.T) {
	registry := sealed.Subject{Environment: "prod", PullSecret: "registry"}
	old, keys := identity(t)
	next, _ := identity(t)
	data, err := sealed.Seal(registry, []string{old.Recipient().String()}, map[string]string{sealed.PullKey: `{"auths":{"a":{"auth":"b"}}}`}, time.Now())
	require.NoError(t, err)
	data, problems, err := keys.Rekey(data, registry, []string{next.Recipient().String()})
	require.NoError(t, err)
	require.Empty(t, problems)
	file, problems := sealed.Read(data, registry, []string{next.Recipient().String()})
	require.Empty(t, problems)
	state := "apiVersion: v1\nkind: Secret\nmetadata:\n  annotations:\n    transom.dev/sealed-for: " + file.For + "\n    transom.dev/pull-secret: registry\n  name: shop-registry\n" +
		file.BlockText() + file.ValuesText() + "type: " + sealed.PullType + "\n"
	t.Setenv("SOPS_AGE_KEY", old.String())
	_, err = decrypt.Data([]byte(state), "yaml")
	require.Error(t, err, "the old key opens it no more")
	t.Setenv("SOPS_AGE_KEY", next.String())
	plain, err := decrypt.Data([]byte(state), "yaml")
	require.NoError(t, err)
	require.Contains(t, string(plain), `.dockerconfigjson: '{"auths":{"a":{"auth":"b"}}}'`)
}

// encrypt seals a file as "sops encrypt" does.
func encrypt(t *testing.T, id *age.X25519Identity, only bool, plain string) []byte {
	t.Helper()
	store := yaml.NewStore(&config.YAMLStoreConfig{})
	branches, err := store.LoadPlainFile([]byte(plain))
	require.NoError(t, err)
	master, err := sopsage.MasterKeyFromRecipient(id.Recipient().String())
	require.NoError(t, err)
	tree := sops.Tree{Branches: branches, Metadata: sops.Metadata{
		KeyGroups: []sops.KeyGroup{{master}}, EncryptedRegex: sealed.Sealing, MACOnlyEncrypted: only, Version: "3.13.3", LastModified: time.Now().UTC(),
	}}
	key, errs := tree.GenerateDataKeyWithKeyServices([]keyservice.KeyServiceClient{keyservice.NewLocalClient()})
	require.Empty(t, errs)
	mac, err := tree.Encrypt(key, aes.NewCipher())
	require.NoError(t, err)
	tree.Metadata.MessageAuthenticationCode, err = aes.NewCipher().Encrypt(mac, key, tree.Metadata.LastModified.Format(time.RFC3339))
	require.NoError(t, err)
	data, err := store.EmitEncryptedFile(tree)
	require.NoError(t, err)
	if !only { // which SOPS does not write
		data = append(data, "    mac_only_encrypted: false\n"...)
	}
	return data
}
