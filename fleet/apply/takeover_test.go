package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

func TestFieldsOfAppliersAreInherited(t *testing.T) {
	entry := func(manager, operation, version, fields string) string {
		return `{"manager":"` + manager + `","operation":"` + operation + `","apiVersion":"` + version + `","fieldsType":"FieldsV1","fieldsV1":` + fields + `}`
	}
	const replicas, paused, image = `{"f:spec":{"f:replicas":{}}}`, `{"f:spec":{"f:paused":{}}}`, `{"f:spec":{"f:image":{}}}`
	controller := entry("controller", "Update", "v1", paused)
	for name, c := range map[string]struct{ entries, want string }{
		"no applier":              {controller, ""},
		"no entry":                {"", ""},
		"of an Update":            {entry("kubectl-create", "Update", "v1", replicas) + "," + controller, controller + "," + entry("transom", "Apply", "v1", replicas)},
		"of an Apply":             {entry("helm", "Apply", "v1", replicas), entry("transom", "Apply", "v1", replicas)},
		"a prefix is no applier":  {entry("kubectl-edit", "Update", "v1", replicas), ""},
		"of several":              {entry("helm", "Update", "v1", replicas) + "," + entry("kubectl", "Update", "v1", paused), entry("transom", "Apply", "v1", `{"f:spec":{"f:paused":{},"f:replicas":{}}}`)},
		"beside ours":             {entry("helm", "Update", "v1", replicas) + "," + entry("transom", "Apply", "v1", paused), entry("transom", "Apply", "v1", `{"f:spec":{"f:paused":{},"f:replicas":{}}}`)},
		"of another version":      {entry("helm", "Update", "v1beta1", replicas) + "," + entry("transom", "Apply", "v1", paused), entry("transom", "Apply", "v1", paused)},
		"what is left to others":  {entry("helm", "Update", "v1", `{"f:spec":{"f:image":{},"f:replicas":{}}}`), entry("transom", "Apply", "v1", replicas)},
		"all is left to others":   {entry("helm", "Update", "v1", image), entry("transom", "Apply", "v1", `{}`)},
		"status is no file's":     {`{"manager":"helm","operation":"Update","subresource":"status","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{}}`, ""},
		"an update of ours stays": {entry("helm", "Update", "v1", replicas) + "," + entry("transom", "Update", "v1", paused), entry("transom", "Apply", "v1", replicas) + "," + entry("transom", "Update", "v1", paused)},
	} {
		got, err := apply.Inherit("["+c.entries+"]", "spec", "image")
		require.NoError(t, err, name)
		if c.want == "" {
			require.Empty(t, got, name)
			continue
		}
		require.JSONEq(t, "["+c.want+"]", got, name)
	}
}
