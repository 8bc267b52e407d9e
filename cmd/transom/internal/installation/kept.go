package installation

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/platform"
)

// RightsFile is the path in a platform repository of the rights that were last applied to the clusters, as "transom install --rights"
// prints them.
const RightsFile = "rights.yaml"

// Lacking are Warnings about the rights that a platform needs and that its file of rights does not have. Without such a file
// nobody asked for them.
func Lacking(p *platform.Platform, files fs.FS) ([]platform.Problem, error) {
	content, err := fs.ReadFile(files, RightsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", RightsFile, err)
	}
	applied, err := rulesOf(content)
	if err != nil {
		return []platform.Problem{lacking("cannot be read: %v", err)}, nil
	}
	needed, err := RightsFor(p)
	if err != nil {
		return nil, err
	}
	_, missing := validation.Covers(applied, needed.Rules)
	verbs := map[string][]string{}
	for _, rule := range missing {
		of := subject(rule)
		verbs[of] = append(verbs[of], rule.Verbs...)
	}
	var warnings []platform.Problem
	for _, of := range slices.Sorted(maps.Keys(verbs)) {
		by := ""
		if from := needed.from[of]; from != "" {
			by = ", which " + from + " renders"
		}
		warnings = append(warnings, lacking("the daemon may not %s %s%s", strings.Join(verbs[of], ", "), of, by))
	}
	return warnings, nil
}

func lacking(format string, args ...any) platform.Problem {
	return platform.Problem{
		File: RightsFile, Rule: "rights", Warning: true,
		Message: fmt.Sprintf(format, args...) + `; print it anew with "transom install --rights" and apply it to the clusters before this is merged`,
	}
}

// rulesOf are the rules of all roles among manifests.
func rulesOf(manifests []byte) (rules []rbacv1.PolicyRule, err error) {
	list, err := NewList(manifests)
	if err != nil {
		return nil, err
	}
	for _, o := range list.Items {
		if o["kind"] != "ClusterRole" {
			continue
		}
		text, err := k8syaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		var role rbacv1.ClusterRole
		if err := k8syaml.UnmarshalStrict(text, &role); err != nil {
			return nil, err
		}
		rules = append(rules, role.Rules...)
	}
	if len(rules) == 0 {
		return nil, errors.New("there is no ClusterRole with rules in it")
	}
	return rules, nil
}

// subject is the resource of a rule that was broken down, in RBAC's words, such as widgets.acme.example.
func subject(rule rbacv1.PolicyRule) string {
	if len(rule.NonResourceURLs) > 0 {
		return rule.NonResourceURLs[0]
	}
	of := strings.TrimSuffix(rule.Resources[0]+"."+rule.APIGroups[0], ".")
	if len(rule.ResourceNames) > 0 {
		of += " " + rule.ResourceNames[0]
	}
	return of
}
