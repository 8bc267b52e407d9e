package main

import (
	"fmt"
	"path"
	"strings"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// offeringFile is the content of a new offering.yaml.
func offeringFile(name, title, description, owner string) string {
	if title == "" {
		title = strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " ")
	}
	lines := []string{"apiVersion: " + platform.APIVersion, "kind: Offering", "metadata: {name: " + yamledit.Scalar(name, true) + "}", "spec:"}
	lines = append(lines, "  title: "+yamledit.Scalar(title, false))
	if description != "" {
		lines = append(lines, "  description: "+yamledit.Scalar(description, false))
	} else {
		lines = append(lines, "  # description: What it is, and what it is for.")
	}
	if owner != "" {
		lines = append(lines, "  owner: "+yamledit.Scalar(owner, false))
	} else {
		lines = append(lines, "  # owner: who answers for it")
	}
	lines = append(lines, "  # teams: [payments] # who may request it; absent: every team")
	return strings.Join(lines, "\n") + "\n"
}

// firstVersion adds a version that renders a Deployment and a Service, for its author to replace.
func (s *scaffold) firstVersion(offering, number string) {
	dir := path.Join("offerings", offering, number)
	s.add(path.Join(dir, "version.yaml"), fmt.Sprintf(`apiVersion: %s
kind: Version
metadata: {name: %s}
spec:
  parameters: # what a request may say, in the dialect of a CustomResourceDefinition's openAPIV3Schema
    type: object
    required: [image]
    properties:
      image: {type: string, description: The container image with its tag., pattern: '^.+:[A-Za-z0-9._-]+$'}
      replicas: {type: integer, description: How many run., minimum: 1, default: 1}
  outputs: # what others can be told; CEL over the names of Inputs
  - {name: host, value: '"%%s-%s.%%s.svc".format([request.name, namespace])'}
`, platform.APIVersion, yamledit.Scalar(offering, true), offering))
	s.add(path.Join(dir, "kustomization.yaml"), `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [deployment.yaml, service.yaml]
replacements: # parameters enter here
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=app].image']}]
- source: {kind: Inputs, fieldPath: parameters.replicas}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]
`)
	s.add(path.Join(dir, "deployment.yaml"), strings.ReplaceAll(`apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME} # every object's name gets the request's name before it
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/name: NAME}}
  template:
    metadata: {labels: {app.kubernetes.io/name: NAME}}
    spec:
      containers:
      - name: app
        image: app
        ports: [{name: http, containerPort: 8080}]
        resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 64Mi}}
`, "NAME", offering))
	s.add(path.Join(dir, "service.yaml"), strings.ReplaceAll(`apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app.kubernetes.io/name: NAME}
  ports: [{name: http, port: 80, targetPort: http}]
`, "NAME", offering))
}
