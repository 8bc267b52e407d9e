package promotion

import (
	"fmt"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// weakened says why the health of a release here proves nothing downstream: it brings the very bytes of a release that
// failed or is not healthy, and asks less of their health. Empty: its health is a proof.
func (d *decided) weakened(c *change) string {
	if c.Base == nil {
		return ""
	}
	if runs(c.Base) && sharesBytes(c.Base, c.Next) {
		now := d.condition(d.Environment, c.Base, nil)
		unwell := now.counting > 0 && !now.all()
		if why := weaker(c.Base, c.Next); why != "" && (unwell || phaseOf(c.Base) == stopped) {
			return why
		}
		if why := c.Base.Promotion.Unproven; why != "" && weaker(c.Next, c.Base) == "" {
			return why
		}
	}
	for _, f := range slices.Backward(c.Base.Promotion.Rejected) {
		if f.State == "" {
			continue
		}
		failed, err := d.Lookup.Ran(f.State, c.key)
		if err != nil || failed == nil || failed.Digest != f.Release {
			continue
		}
		if has := c.Next.Clusters[f.Cluster].Revision; has == "" || has != failed.Clusters[f.Cluster].Revision {
			continue
		}
		if why := weaker(failed, c.Next); why != "" {
			return why
		}
	}
	return ""
}

// sharesBytes reports whether two records have the same bytes on some cluster.
func sharesBytes(a, b *state.Release) bool {
	return slices.ContainsFunc(sortedKeys(b.Clusters), func(cluster string) bool {
		return a.Clusters[cluster].Release == "" && a.Clusters[cluster].Revision == b.Clusters[cluster].Revision
	})
}

// weaker says how one release asks less of health than another: an entry, or an expression of one, is gone, or being applied
// is enough. Whether an expression that changed asks less cannot be told.
func weaker(than, r *state.Release) string {
	for _, was := range than.Health {
		is := healthOf(r.Health, was)
		switch {
		case was.Applied: // nothing asks less
		case is == nil:
			return fmt.Sprintf("%s@%s has no health entry for %s, which %s has", r.Offering, r.Version, kindOf(was), than.Version)
		case was.Failed != "" && is.Failed == "" && !is.Applied:
			return fmt.Sprintf("%s@%s does not say when %s has failed, as %s does", r.Offering, r.Version, kindOf(was), than.Version)
		}
	}
	for _, is := range r.Health {
		if was := healthOf(than.Health, is); is.Applied && (was == nil || !was.Applied) {
			return fmt.Sprintf("%s@%s asks nothing of %s but to be applied, unlike %s", r.Offering, r.Version, kindOf(is), than.Version)
		}
	}
	return ""
}

func healthOf(all []platform.Health, of platform.Health) *platform.Health {
	i := slices.IndexFunc(all, func(h platform.Health) bool { return h.Group == of.Group && h.Kind == of.Kind })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func kindOf(h platform.Health) string {
	if h.Group == "" {
		return h.Kind
	}
	return h.Kind + "." + h.Group
}
