package platform

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"

	"transom.dev/render/wording"
)

// selectVersion finds the version that a request means in an environment: the highest published one that matches.
// Withdrawn versions never match, experimental ones only by their exact number. A version with a Problem matches and
// is then not taken, because taking another instead would be a change that nobody asked for.
func selectVersion(d *document, f *requestFile, env string, o *Offering) *Version {
	field, want := "spec.version", f.request.Spec.Version
	if own := f.request.Spec.Environments[env].Version; own != "" {
		field, want = "spec.environments."+env+".version", own
	}
	v, remark := match(o, want)
	switch {
	case v == nil:
		d.problem(field, "unknown-version", "no published version of %s matches %q%s; published: %s", o.Name, wording.Shorten(want), remark, o.published())
		return nil
	case v.Broken:
		d.problem(field, ruleBroken, "%s has a Problem; see %s", v, v.Dir)
		return nil
	case v.Lifecycle == Deprecated:
		d.warn(field, "deprecated", "%s", deprecation(v))
	}
	return v
}

func match(o *Offering, want string) (found *Version, remark string) {
	constraint, err := semver.NewConstraint(want)
	if err != nil {
		return nil, ""
	}
	exact, _ := semver.StrictNewVersion(want)
	for _, v := range slices.Backward(o.Versions) {
		if !constraint.Check(v.Number) {
			continue
		}
		isExact := exact != nil && exact.Equal(v.Number)
		switch {
		case v.Lifecycle == Withdrawn:
			remark = fmt.Sprintf(" (%s is withdrawn%s)", v.Number, because(v.Reason))
		case v.Lifecycle == Experimental && !isExact:
			remark = fmt.Sprintf(" (%s is experimental and is only taken by version: %s)", v.Number, v.Number)
		default:
			return v, ""
		}
	}
	return nil, remark
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func deprecation(v *Version) string {
	text := fmt.Sprintf("%s is deprecated%s", v, because(v.Reason))
	if v.RemoveAfter != "" {
		text += "; it may be removed after " + v.RemoveAfter
	}
	return text
}

// published lists the versions that there are to choose from.
func (o *Offering) published() string {
	var names []string
	for _, v := range o.Versions {
		switch v.Lifecycle {
		case Withdrawn:
		case Experimental:
			names = append(names, fmt.Sprintf("%s (experimental)", v.Number))
		default:
			names = append(names, v.Number.String())
		}
	}
	return wording.List(names)
}
