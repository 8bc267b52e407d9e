package render

import (
	"path"
	"slices"
	"strings"

	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A source is the directories that the objects of a placement come from, before anything of the environment or of Transom is put around it.
type source struct {
	trees      []kustomize.Tree // directories that Kustomize may read
	components []string         // directories in them that are Kustomize components, in the order in which they are built
}

// sourceOf returns the source of an instance for one placement. It is the only function that knows where objects come from: the
// directory of the version, with the components whose conditions are true, after the objects that the version's chart prints.
//
// Every source comes to the same, so that everything behind this function treats all alike: wrap puts the overlays,
// the namespace, the labels and the prefix around it, and builder.render checks the objects against the output rules. It provides
//   - directories of plain Kustomize that the guard has accepted (examiner.soundness), each with a digest of all its bytes;
//   - the same bytes for the same inputs on every machine, within the bounds of kustomize.Tree;
//   - in renderKey, everything that these bytes depend on;
//   - files and lines that a Problem about one of its objects can name.
func (x examiner) sourceOf(i *platform.Instance, placed evaluated) (source, []platform.Problem) {
	components, problems := i.Components(placed.inputs, &expression.Tally{Most: placed.most})
	if len(problems) > 0 {
		return source{}, problems
	}
	var from source
	if i.Version.Chart != nil {
		printed, problems := x.print(i, placed)
		if len(problems) > 0 {
			return source{}, problems
		}
		from = source{[]kustomize.Tree{printed}, []string{printed.Dir}}
	}
	from.trees = append(from.trees, versionTree(i.Version))
	from.components = append(from.components, i.Version.Dir)
	for _, component := range components {
		from.components = append(from.components, path.Join(i.Version.Dir, component))
	}
	return from, nil
}

// wrapper returns the wrapper of an instance on one cluster, which Kustomize builds where the examiner has it built.
func (x examiner) wrapper(i *platform.Instance, placed evaluated) (kustomize.Wrapper, []platform.Problem) {
	from, problems := x.sourceOf(i, placed)
	if len(problems) > 0 {
		return kustomize.Wrapper{}, problems
	}
	w := wrap(i, placed, from)
	w.Run = x.run
	return w, nil
}

// wrap puts the content of an instance on one cluster into the wrapper that Kustomize builds: with the overlays of the
// environment, and with the namespace, labels and prefix of the instance.
func wrap(i *platform.Instance, placed evaluated, from source) kustomize.Wrapper {
	k := i.Request.Key
	w := kustomize.Wrapper{
		Inputs:     placed.inputs.Map(),
		Trees:      from.trees,
		Components: from.components,
		Namespace:  placed.namespace,
		Replicas:   kustomize.Replicas{Unscaled: map[string]bool{}},
		Labels: map[string]string{
			state.LabelManagedBy: state.ManagedBy, state.LabelTeam: k.Team, state.LabelRequest: k.Name,
			state.LabelEnvironment: i.Environment.Name, state.LabelOffering: i.Offering.Name,
		},
	}
	for _, ignore := range i.Version.Ignore {
		if slices.Contains(ignore.Fields, builtin.ReplicasField) {
			w.Unscaled[strings.TrimPrefix(ignore.Group+"/"+ignore.Kind, "/")] = true
		}
	}
	for _, overlay := range i.Environment.Overlays {
		w.Trees = append(w.Trees, overlayTree(overlay))
		w.Components = append(w.Components, overlay.Dir)
	}
	if i.Version.Scope == platform.ClusterScoped {
		return w
	}
	w.Identity = map[string]string{state.LabelTeam: k.Team, state.LabelRequest: k.Name}
	if i.Version.Names == platform.Verbatim {
		w.Rule = kustomize.Nowhere // running workloads of these names may be adopted, and no pod restarted for that
	} else if i.Version.Chart == nil { // a chart names its objects itself
		w.Prefix = k.Name + "-"
	}
	return w
}

// versionTree is a version's directory as Kustomize may read it: without its chart.
func versionTree(v *platform.Version) kustomize.Tree {
	t := kustomize.Tree{Dir: v.Dir, Files: v.Files, Digest: v.Digest}
	if v.Chart != nil {
		t.Files = v.Chart.Beside
	}
	for _, component := range v.Components {
		t.Components = append(t.Components, component.Path)
	}
	return t
}

func overlayTree(o platform.Overlay) kustomize.Tree {
	return kustomize.Tree{Dir: o.Dir, Files: o.Files, Digest: o.Digest, Overlay: true}
}

// kustomizationOf is the file that lists a version's objects: its kustomization, or its chart where it has no other.
func kustomizationOf(v *platform.Version) string {
	if v.Chart != nil && v.Chart.Alone {
		return path.Join(v.Chart.Dir, "Chart.yaml")
	}
	return path.Join(v.Dir, "kustomization.yaml")
}
