package main

import (
	"embed"
	"fmt"
	"path"
	"strings"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodeheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/yaml"
)

// ownStages are the ways of pods and volumes that kwok's embedded packages do not have.
//
//go:embed stages/*.yaml
var ownStages embed.FS

// failingTags are the image tags that stages/pod-*.yaml look for; kwok's own pod-ready is for all others.
var failingTags = []string{"broken", "crash", "slow"}

// stages is kwok's configuration: how nodes, pods and volumes move from state to state.
func stages() ([]byte, error) {
	podReady, err := restrict(podfast.DefaultPodReady, map[string]any{
		"key":      `.spec.containers[].image | capture(":(?<tag>[^:/]+)$") | .tag`,
		"operator": "NotIn",
		"values":   failingTags,
	})
	if err != nil {
		return nil, err
	}
	podComplete, err := restrict(podfast.DefaultPodComplete, map[string]any{
		"key":      `.status.conditions.[] | select( .type == "Ready" ) | .status`,
		"operator": "In",
		"values":   []string{"True"},
	})
	if err != nil {
		return nil, err
	}
	documents := []string{
		nodefast.DefaultNodeInit, nodeheartbeat.DefaultNodeHeartbeatWithLease,
		podReady, podComplete, podfast.DefaultPodDelete,
	}
	own, err := ownStages.ReadDir("stages")
	if err != nil {
		return nil, fmt.Errorf("read the embedded stages: %w", err)
	}
	for _, entry := range own {
		data, err := ownStages.ReadFile(path.Join("stages", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the embedded stages: %w", err)
		}
		documents = append(documents, string(data))
	}
	return []byte(strings.Join(documents, "\n---\n")), nil
}

// restrict adds a requirement to the objects that a stage is for.
func restrict(stage string, requirement map[string]any) (string, error) {
	var parsed struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(stage), &parsed); err != nil {
		return "", fmt.Errorf("parse a stage of kwok: %w", err)
	}
	selector, _ := parsed.Spec["selector"].(map[string]any)
	expressions, ok := selector["matchExpressions"].([]any)
	if !ok {
		return "", fmt.Errorf("the stage %v of kwok has no matchExpressions any more", parsed.Metadata["name"])
	}
	selector["matchExpressions"] = append(expressions, requirement)
	restricted, err := yaml.Marshal(parsed)
	if err != nil {
		return "", fmt.Errorf("encode a stage of kwok: %w", err)
	}
	return string(restricted), nil
}
