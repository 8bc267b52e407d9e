package apply

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"transom.dev/render/sealed"
	"transom.dev/render/state"
)

// seal keeps the manifest of a sealed Secret as the state repository has it, and has the desired fields be those that are applied of it,
// without the values. They are opened for a request to the API server, and forgotten with it.
func (m *manifest) seal(u *unstructured.Unstructured) {
	if _, is := u.Object["sops"]; !is || !m.isSecret() {
		return
	}
	values, _, _ := unstructured.NestedMap(u.Object, "stringData")
	m.sealed, _ = json.Marshal(u.Object) // it was decoded from JSON
	delete(u.Object, "sops")
	delete(u.Object, "stringData")
	unstructured.RemoveNestedField(u.Object, "metadata", "annotations", sealed.AnnotationFor)
	data := map[string]any{}
	for key := range values {
		data[key] = ""
	}
	u.Object["data"] = data
}

// unsealed says why the manifest of a Secret cannot be applied whose values should be sealed and are not; empty: it can.
func (m *manifest) unsealed() string {
	_, given := m.annotated(state.AnnotationSealed)
	_, pulls := m.annotated(state.AnnotationPullSecret)
	if should := given || pulls; should && m.sealed == nil && m.hasData() {
		return "its values are not sealed; render it anew"
	}
	return ""
}

// open opens the values of a sealed Secret.
func open(in *Instance, d *desired) (map[string]string, error) {
	var keys *sealed.Keys
	if in.Keys != nil {
		var err error
		if keys, err = in.Keys(); err != nil {
			return nil, err
		}
	}
	subject := sealed.Subject{Team: in.Team, Request: in.Request, Environment: in.Environment}
	if name := d.annotation(state.AnnotationPullSecret); name != "" {
		subject = sealed.Subject{Environment: in.Environment, PullSecret: name}
	}
	return keys.Open(d.sealed, subject)
}

// checkSealed leaves a fault with each sealed Secret of another revision that cannot be opened, so that nothing of the instance is written.
// It is tried again soon, because a key may come.
func (a *application) checkSealed() {
	for _, d := range a.objects {
		if d.sealed == nil || d.fault != "" || d.isAtRevision() && !d.adopts {
			continue
		}
		if _, err := open(&a.in, d); err != nil {
			leaveSealed(d, err)
		}
	}
}

// leaveSealed leaves the fault with a sealed Secret that does not open.
func leaveSealed(d *desired, err error) {
	d.fault, d.again = state.Unopened+err.Error(), true
}

// opened are the fields that are applied of an object, with the values of a sealed Secret.
func opened(in *Instance, d *desired, content map[string]any) (map[string]any, error) {
	if d.sealed == nil {
		return content, nil
	}
	values, err := open(in, d)
	if err != nil {
		return nil, err
	}
	data := make(map[string]any, len(values))
	for key, value := range values {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	content = maps.Clone(content)
	content["data"] = data
	return content, nil
}

// discreet is an answer of the API server to a request that writes a Secret, and repeats none of its values: a webhook may say all
// that it was asked about.
func discreet(o Object, body []byte, err error) error {
	var answer *apierrors.StatusError
	var written struct {
		Data map[string][]byte `json:"data"`
	}
	if o.Group != "" || o.Kind != "Secret" || !errors.As(err, &answer) || json.Unmarshal(body, &written) != nil || len(written.Data) == 0 {
		return err
	}
	hide := func(text string) string {
		for _, value := range written.Data {
			for _, secret := range []string{base64.StdEncoding.EncodeToString(value), strings.Trim(strconv.Quote(string(value)), `"`), string(value)} {
				if secret != "" {
					text = strings.ReplaceAll(text, secret, "***")
				}
			}
		}
		return text
	}
	told := &apierrors.StatusError{ErrStatus: *answer.ErrStatus.DeepCopy()}
	told.ErrStatus.Message = hide(told.ErrStatus.Message)
	if told.ErrStatus.Details != nil {
		for i := range told.ErrStatus.Details.Causes {
			cause := &told.ErrStatus.Details.Causes[i]
			cause.Message = hide(cause.Message)
		}
	}
	return told
}
