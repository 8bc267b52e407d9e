package main

import (
	"context"
	"io"
	"slices"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/wording"
)

// podReader shows the pods of a fleet.
type podReader struct{ fleet *fleet.Fleet }

func placementOf(at api.Placement) fleet.Placement {
	return fleet.Placement{Environment: at.Environment, Cluster: at.Cluster, Team: at.Request.Team, Request: at.Request.Name}
}

// Pods is part of web.Runtime. Pods are looked for where the instance has objects.
func (r podReader) Pods(ctx context.Context, at api.Placement) (all []api.Pod, err error) {
	var namespaces []string
	for _, o := range at.Objects {
		if o.Namespace != "" && !slices.Contains(namespaces, o.Namespace) {
			namespaces = append(namespaces, o.Namespace)
		}
	}
	pods, err := r.fleet.Pods(ctx, placementOf(at), namespaces)
	for _, p := range pods {
		one := api.Pod{Namespace: p.Namespace, Name: p.Name, Phase: p.Phase, Message: wording.Clean(p.Message), Started: p.Started}
		for _, o := range p.Owners {
			one.Owners = append(one.Owners, api.Controller{Kind: o.Kind, Name: o.Name})
		}
		for _, c := range p.Containers {
			one.Containers = append(one.Containers, api.Container(c))
		}
		all = append(all, one)
	}
	return all, err
}

// Happenings is part of web.Runtime.
func (r podReader) Happenings(ctx context.Context, at api.Placement) (all []api.Happening, err error) {
	var objects []apply.Object
	for _, o := range at.Objects {
		objects = append(objects, apply.Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name})
	}
	found, err := r.fleet.Happenings(ctx, placementOf(at), objects)
	for _, h := range found {
		all = append(all, api.Happening{
			At: h.At, Object: h.Object.String(), Type: wording.Clean(h.Type), Reason: wording.Clean(h.Reason), Message: wording.Clean(h.Message), Count: h.Count,
		})
	}
	return all, err
}

// ReadLog is part of web.Runtime.
func (r podReader) ReadLog(ctx context.Context, at api.Placement, l api.Log, read func(io.Reader) error) error {
	return r.fleet.ReadLog(ctx, placementOf(at), apply.Log(l), read)
}
