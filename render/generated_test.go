package render_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing/fstest"
)

// requestsPerTeam is the same for platforms of every size.
const requestsPerTeam = 100

// environments are those of a generated platform.
var environments = []string{"dev", "staging", "prod"}

// generate makes a platform of so many requests, in three environments each, for ten offerings of three to six objects.
func generate(requests int) *snapshot {
	s := &snapshot{}
	for n, environment := range environments {
		s.put("environments/"+environment+".yaml", head("Environment", environment)+fmt.Sprintf(`spec:
  state: {url: https://git.example.com/state-%s.git, branch: main}
  clusters: {matchLabels: {environment: %s}}
  values: {domain: %s.example.com, level: %d}
`, environment, environment, environment, n))
		s.put("clusters/"+environment+".yaml", "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: "+environment+
			", labels: {environment: "+environment+"}}\nspec: {state: active}\n")
	}
	for n := range 10 {
		s.put(fmt.Sprintf("offerings/app%d/offering.yaml", n), head("Offering", fmt.Sprintf("app%d", n))+"spec: {title: App, owner: platform}\n")
		s.publish(n, "1.0.0", "")
	}
	for n := range requests {
		s.request(n, fmt.Sprintf("registry.example.com/shop:%d", n))
	}
	return s
}

func head(kind, name string) string {
	return "apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n"
}

// request writes the n-th request.
func (s *snapshot) request(n int, image string) {
	name := fmt.Sprintf("r%05d", n)
	s.put(fmt.Sprintf("requests/team-%03d/%s.yaml", n/requestsPerTeam, name), head("Request", name)+fmt.Sprintf(`spec:
  offering: app%d
  version: "1"
  parameters:
    image: %s
    replicas: %d
    settings: {region: eu, tier: "%d"}
  environments:
    dev: {}
    staging: {}
    prod: {parameters: {replicas: 5, memory: 512Mi}}
`, n%10, image, n%4+1, n%3))
}

// publish writes a version of the n-th offering, which has three to six objects.
func (s *snapshot) publish(n int, version, note string) {
	dir := fmt.Sprintf("offerings/app%d/%s/", n, version)
	s.put(dir+"version.yaml", head("Version", fmt.Sprintf("app%d", n))+`spec:
  parameters:
    type: object
    required: [image]
    properties:
      image: {type: string, pattern: '^[a-z0-9./:-]+$'}
      replicas: {type: integer, minimum: 1, maximum: 20, default: 1}
      memory: {type: string, default: 128Mi}
      settings: {type: object, default: {}, additionalProperties: {type: string}}
  computed:
    host: '"%s.%s.%s".format([request.name, request.team, environment.values.domain])'
  outputs:
  - {name: url, value: '"https://" + computed.host'}
`)
	objects := []string{"deployment", "service", "configmap", "serviceaccount", "disruptionbudget", "networkpolicy"}[:3+n%4]
	resources := ""
	for _, object := range objects {
		resources += object + ".yaml, "
		s.put(dir+object+".yaml", strings.ReplaceAll(generated[object], "NOTE", note+"."))
	}
	s.put(dir+"kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: ["+strings.TrimSuffix(resources, ", ")+`]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=app].image']}]
- source: {kind: Inputs, fieldPath: parameters.replicas}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]
- source: {kind: Inputs, fieldPath: parameters.memory}
  targets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=app].resources.requests.memory']}]
- source: {kind: Inputs, fieldPath: computed.host}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.host]}]
`)
}

var generated = map[string]string{
	"deployment": `apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: app
        image: app
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}}
        resources: {requests: {cpu: 100m, memory: 64Mi}}
        env: [{name: LEVEL, value: info}]
        envFrom: [{configMapRef: {name: app}}]
`,
	"service": `apiVersion: v1
kind: Service
metadata: {name: app}
spec:
  selector: {app: app}
  ports: [{name: http, port: 80, targetPort: http}]
`,
	"configmap": `apiVersion: v1
kind: ConfigMap
metadata: {name: app}
data: {host: host, note: NOTE}
`,
	"serviceaccount": `apiVersion: v1
kind: ServiceAccount
metadata: {name: app}
automountServiceAccountToken: false
`,
	"disruptionbudget": `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: app}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {app: app}}
`,
	"networkpolicy": `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: app}
spec:
  podSelector: {matchLabels: {app: app}}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 8080}]}]
`,
}

// A snapshot is a tree of files in memory that knows an id for the content of each file and directory, as a commit does.
type snapshot struct{ root node }

type node struct {
	name     string
	data     []byte
	id       string           // empty: not known since something below changed
	children map[string]*node // nil: a file
	entries  []fs.DirEntry
}

// put writes a file, or removes it where the text is empty.
func (s *snapshot) put(name, text string) {
	at := &s.root
	parts := strings.Split(name, "/")
	for i, part := range parts {
		at.id, at.entries = "", nil
		if at.children == nil {
			at.children = map[string]*node{}
		}
		if i == len(parts)-1 && text == "" {
			delete(at.children, part)
			return
		}
		if at.children[part] == nil {
			at.children[part] = &node{name: part}
		}
		at = at.children[part]
	}
	at.id, at.data = "", []byte(text)
}

func (s *snapshot) find(name string) (*node, error) {
	at := &s.root
	for part := range strings.SplitSeq(name, "/") {
		if part == "." {
			continue
		}
		if at = at.children[part]; at == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
	}
	return at, nil
}

func (s *snapshot) ReadFile(name string) ([]byte, error) {
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return n.data, nil
}

func (s *snapshot) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if n.entries == nil {
		for _, child := range slices.Sorted(maps.Keys(n.children)) {
			n.entries = append(n.entries, n.children[child])
		}
	}
	return n.entries, nil
}

func (s *snapshot) Open(name string) (fs.File, error) {
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return fstest.MapFS{path.Base(name): {Data: n.data}}.Open(path.Base(name))
}

func (n *node) Name() string               { return n.name }
func (n *node) IsDir() bool                { return n.children != nil }
func (n *node) Info() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }

func (n *node) Type() fs.FileMode {
	if n.IsDir() {
		return fs.ModeDir
	}
	return 0
}

func (n *node) HasID(id string) bool { return n.ID() == id }

func (n *node) ID() string {
	if n.id == "" {
		content := bytes.NewBuffer(n.data)
		for _, name := range slices.Sorted(maps.Keys(n.children)) {
			fmt.Fprintf(content, "%s %v %s\n", name, n.children[name].Type(), n.children[name].ID())
		}
		n.id = fmt.Sprintf("%x", sha256.Sum256(content.Bytes()))
	}
	return n.id
}
