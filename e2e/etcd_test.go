package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// etcd is the part of a sandbox's etcd that belongs to one cluster. It reads and writes by etcd's HTTP gateway, which needs
// no client library.
type etcd struct {
	t       testing.TB
	url     string
	cluster string
}

// stored is the value that etcd has under a key. Kubernetes calls the revision of the last write the object's resourceVersion.
type stored struct {
	Value    []byte `json:"value"`
	Revision int64  `json:"mod_revision,string"`
}

// etcd is the store of a cluster's objects.
func (w *world) etcd(cluster string) etcd {
	w.t.Helper()
	if w.etcdURL == "" {
		out, err := exec.Command(filepath.Join(w.bin, "sandbox"), "status", "--dir", w.fleet, "-o", "json").Output()
		require.NoError(w.t, err)
		var all []struct{ Etcd string } // the same for all
		require.NoError(w.t, json.Unmarshal(out, &all))
		w.etcdURL = all[0].Etcd
		require.NotEmpty(w.t, w.etcdURL, "this sandbox does not tell where its etcd is: run `make build`")
	}
	return etcd{t: w.t, url: w.etcdURL, cluster: cluster}
}

// read returns everything that etcd has of the cluster, by keys such as /configmaps/default/settings.
func (e etcd) read() map[string]stored {
	e.t.Helper()
	prefix := "/" + e.cluster
	var answer struct {
		KVs []struct {
			Key []byte `json:"key"`
			stored
		} `json:"kvs"`
	}
	e.call("range", map[string][]byte{"key": []byte(prefix + "/"), "range_end": []byte(prefix + "0")}, &answer) // 0 follows /
	all := map[string]stored{}
	for _, kv := range answer.KVs {
		all[strings.TrimPrefix(string(kv.Key), prefix)] = kv.stored
	}
	return all
}

// write puts a value under a key.
func (e etcd) write(key string, value []byte) {
	e.t.Helper()
	e.call("put", map[string][]byte{"key": []byte("/" + e.cluster + key), "value": value}, new(any))
}

func (e etcd) call(method string, request, answer any) {
	e.t.Helper()
	body, err := json.Marshal(request)
	require.NoError(e.t, err)
	response, err := http.Post(e.url+"/v3/kv/"+method, "application/json", bytes.NewReader(body))
	require.NoError(e.t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(e.t, http.StatusOK, response.StatusCode)
	require.NoError(e.t, json.NewDecoder(response.Body).Decode(answer))
}

// housekeeping are the keys of objects that API servers and controllers write for themselves.
var housekeeping = []string{
	"/apiregistration.k8s.io/", "/controllers/", "/csinodes/", "/endpointslices/", "/events/", "/flowschemas/", "/ipaddresses/", "/leases/",
	"/masterleases/", "/minions/", "/peerserverleases/", "/prioritylevelconfigurations/", "/ranges/", "/services/endpoints/",
}

// objects are those of a cluster that are not housekeeping.
func (e etcd) objects() map[string]stored {
	e.t.Helper()
	all := e.read()
	for key := range all {
		if slices.ContainsFunc(housekeeping, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			delete(all, key)
		}
	}
	return all
}

// toJSON is an object as JSON that API servers have stored in protobuf, as they do with all kinds that they define, or in
// JSON. They read either.
func toJSON(t testing.TB, value []byte) json.RawMessage {
	t.Helper()
	if json.Valid(value) {
		return bytes.TrimSpace(value)
	}
	object, _, err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Decode(value, nil, nil)
	require.NoError(t, err)
	data, err := json.Marshal(object)
	require.NoError(t, err)
	return data
}
