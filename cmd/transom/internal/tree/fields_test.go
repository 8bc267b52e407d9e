package tree_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// seen says where a person meets a field of the status API. Where it is nowhere, it begins with a dash and says why.
type seen struct{ status, console string }

const (
	identity = "- it names what is shown, or orders it"
	machine  = "- for programs"
	explain  = "- explain and history tell it"
	clusters = "- cluster list tells it"
)

// shownAt lists every field that the status API has.
var shownAt = map[string]seen{
	"Status.Leader": {"first line", "title of the header"}, "Status.Platform": {"first line", "header"}, "Status.Environments": {"below the first line", "columns"}, "Status.Instances": {"tree", "rows"},

	"Platform.URL": {"first line", "header"}, "Platform.Branch": {machine, machine}, "Platform.Commit": {"first line", "header"},
	"Platform.LoadedAt": {machine, machine}, "Platform.Problems": {"at the end", "Problems"}, "Platform.Error": {"below the first line", "notice"},
	"Platform.Frozen": {"below the first line", "notice"},
	"Platform.Forge":  {"below the first line", "notice"},

	"Environment.Name": {"its lines", "column"}, "Environment.StateURL": {explain, explain}, "Environment.StateBranch": {explain, explain},
	"Environment.Commit": {"nothing is known yet", "nothing is known yet"}, "Environment.StateCommit": {explain, "column"},
	"Environment.Did": {explain, "title of the column"}, "Environment.Frozen": {"its lines", "notice, flag"}, "Environment.Error": {"its lines", "notice, flag"},
	"Environment.Problems": {"at the end", "Problems"}, "Environment.Clusters": {"its lines", "columns"},
	"Environment.PromotesFrom": {identity, "column"}, "Environment.Order": {identity, identity}, "Environment.Next": {machine, machine},
	"Environment.Decisions": {"its lines", "flag"}, "Environment.Deletions": {"its lines", "flag"}, "Environment.Plan": {"its lines", "flag"},

	"Decision.Kind": {"the environment's lines", "flag"}, "Decision.File": {"the environment's lines", "title of the flag"},
	"Decision.About": {"the environment's lines", "title of the flag"}, "Decision.Reason": {"the environment's lines", "title of the flag"},
	"Decision.Until": {"the environment's lines", "title of the flag"},
	"Decision.Team":  {identity, identity},

	"Cluster.Name": {"its line", "column"}, "Cluster.State": {"its line", "flag"}, "Cluster.Wave": {"rollout", "column"}, "Cluster.UID": {machine, machine},
	"Cluster.Reachable": {"its line", "flag, notice"}, "Cluster.Message": {"its line", "notice"}, "Cluster.Problem": {"its line", "flag, notice"},
	"Cluster.Reason": {"its line", "title of the flag"}, "Cluster.Since": {"its line", "flag: connecting"},
	"Cluster.Version": {clusters, clusters}, "Cluster.Refusing": {"its line", "notice"}, "Cluster.Credential": {"its line", "notice"},
	"Credential.Source": {clusters, clusters}, "Credential.User": {clusters, clusters}, "Credential.Expires": {clusters, clusters},
	"Credential.Warning": {"the line of its cluster", "notice"},

	"Instance.Environment": {"branch", "column"}, "Instance.Request": {"heading", "row"}, "Instance.Offering": {"heading", "row"},
	"Instance.Version": {"branch", "cell"}, "Instance.Release": {"branch, opened", "detail"}, "Instance.Commit": {explain, "detail"}, "Instance.File": {explain, "detail"},
	"Instance.Absent": {"branch", "cell"}, "Instance.Outputs": {"below it, opened", "detail"}, "Instance.Display": {"branch", "cell"},
	"Instance.Links": {"below it, opened", "detail"}, "Link.Name": {"below it, opened", "detail"}, "Link.URL": {"below it, opened", "detail"},
	"Instance.Problems": {"below it", "cell, detail"}, "Instance.Placements": {"below it", "cells"}, "Instance.MergedAt": {explain, explain},
	"Instance.PromotedFrom": {"below it, opened", "detail"}, "Instance.Gates": {"below it, opened", "detail"}, "Instance.Candidate": {"below it", "cell, detail"},
	"Instance.Waiting": {"below it", "cell, detail"}, "Instance.Skipped": {"below it", "detail"}, "Instance.Rollout": {"below it", "cell, detail"},
	"Instance.Rejected": {"below it", "cell, detail"}, "Instance.Proven": {"below it, opened", "detail"}, "Instance.Debts": {"below it", "detail"},

	"Placement.Cluster": {"leaf", "column"}, "Placement.Stage": {"leaf", "steps"}, "Placement.Health": {"leaf", "cell"}, "Placement.Message": {"leaf", "title, detail"},
	"Placement.Withheld": {"- also among its Problems", "- also among its Problems"}, "Placement.Revision": {machine, machine},
	"Placement.StateCommit": {explain, "- the history of the request"}, "Placement.Release": {"leaf", "- its version"}, "Placement.Version": {"leaf", "cell"},
	"Placement.Objects": {"below it", "detail"}, "Placement.Problems": {"below it", "cell, detail"}, "Placement.Images": {"branch", "cell, detail"},
	"Placement.Drift": {"below it", "detail"}, "Placement.CommittedAt": {explain, "steps"}, "Placement.AppliedAt": {explain, "steps"}, "Placement.HealthyAt": {"leaf", "steps"},
	"Placement.Added": {"below it", "detail"}, "Placement.Leaving": {"below it", "detail"},
	"Added.Object": {"its line", "list"}, "Added.Field": {"its line", "list"}, "Added.Manager": {"its line", "list"}, "Added.At": {"its line", "list"},
	"Added.Agent":        {"its line", "list"},
	"Placement.Adoption": {"below it", "detail"}, "Placement.LetGo": {"below it", "detail"},
	"Placement.Outputs": {"below it", "outputs"}, "Placement.Told": {"below it", "outputs"},
	"Told.Output": {"below it", "outputs"}, "Told.Value": {"below it", "outputs"}, "Told.Fault": {"below it", "outputs"},

	"Adoption.Digest": {"command", "command"}, "Adoption.Effects": {"below it", "list"}, "Adoption.Untried": {"below it", "list"},

	"Object.Group": {identity, identity}, "Object.Kind": {"leaf", "list"}, "Object.Namespace": {"- that of the placement", "- that of the placement"},
	"Object.Name": {"leaf", "list"}, "Object.Health": {"leaf", "list"}, "Object.Message": {"leaf", "list"},
	"ObjectProblem.Object": {"leaf", "list"}, "ObjectProblem.Message": {"leaf", "list"},

	"Candidate.Release": {"its line", "detail"}, "Candidate.Offering": {"- the heading's", "row"}, "Candidate.Version": {"its line", "cell"}, "Candidate.Commit": {explain, explain},
	"Candidate.Absent": {"its line", "cell"}, "Candidate.MergedAt": {"- since, of its gates", "- since, of its gates"}, "Candidate.Changes": {"below it", "detail"},

	"Gate.Name": {"its line", "cell"}, "Gate.Reason": {"its line", "title, detail"}, "Gate.Since": {"its line", "detail"}, "Gate.Opens": {"its line", "detail"}, "Gate.At": {"its line", "cell"},
	"Rollout.Cause": {"its line", "detail"}, "Rollout.Entered": {"its line", "detail"}, "Rollout.Pending": {"its line", "detail"}, "Rollout.Stopped": {"its line", "flag"}, "Rollout.Deadline": {"below its line", "detail"},
	"Failure.Release": {"its line", "detail"}, "Failure.Version": {"its line", "detail"}, "Failure.Cluster": {"its line", "detail"}, "Failure.Object": {"its line", "detail"},
	"Failure.Message": {"its line", "detail"}, "Failure.At": {"its line", "detail"},
	"Proof.Release": {"- only of what runs", "- only of what runs"}, "Proof.Version": {explain, explain}, "Proof.Absent": {explain, explain}, "Proof.Soaked": {"its line", "detail"}, "Proof.At": {explain, explain},
	"Shown.Name": {"branch", "cell"}, "Shown.Value": {"branch", "cell"},
}

// TestEveryFieldOfStatusIsShown or is omitted on purpose: a field that is in the API alone helps nobody in an accident. A field is
// shown where a status in which it has another value reads otherwise.
func TestEveryFieldOfStatusIsShown(t *testing.T) {
	fields := map[string]reflect.StructField{}
	collect(reflect.TypeFor[status.Status](), fields)
	inStatus, inConsole := map[string]bool{}, map[string]bool{}
	for _, of := range []func() status.Status{accident, rest, begins} {
		words, page := printed(of()), pages(t, of())
		for n := 0; ; n++ {
			s := of()
			name, more := change(reflect.ValueOf(&s).Elem(), n)
			if !more {
				break
			}
			inStatus[name] = inStatus[name] || words != printed(s)
			inConsole[name] = inConsole[name] || page != pages(t, s)
		}
	}
	for name := range fields {
		where, listed := shownAt[name]
		require.True(t, listed, "%s: say where status and console show it", name)
		if !strings.HasPrefix(where.status, "-") {
			require.True(t, inStatus[name], "%s is said to be shown by status: %s", name, where.status)
		}
		if !strings.HasPrefix(where.console, "-") {
			require.True(t, inConsole[name], "%s is said to be shown by the console: %s", name, where.console)
		}
	}
	for name := range shownAt {
		require.Contains(t, fields, name, "it is no field any more")
	}
}

// collect lists the fields of a type, and of those that it is made of, as TYPE.FIELD.
func collect(of reflect.Type, fields map[string]reflect.StructField) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		collect(of.Elem(), fields)
		return
	case reflect.Struct:
	default:
		return
	}
	if !isShown(of) {
		return
	}
	for f := range of.Fields() {
		if !f.IsExported() {
			continue
		}
		name := of.Name() + "." + f.Name
		if _, known := fields[name]; known {
			return
		}
		fields[name] = f
		collect(f.Type, fields)
	}
}
