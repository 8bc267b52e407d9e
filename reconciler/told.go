package reconciler

import "transom.dev/reconciler/status"

// Told logs an event of the Board that an operator has to hear of, and with Debug any other. It is meant as status.Board's
// Told: the Board tells a fact once, as long as it does not change.
func (r *Reconciler) Told(e status.Event) {
	var about []any
	add := func(name, value string) {
		if value != "" {
			about = append(about, name, value)
		}
	}
	add("environment", e.Environment)
	add("cluster", e.Cluster)
	if e.Request != nil {
		add("team", e.Request.Team)
		add("request", e.Request.Name)
	}
	switch e.Level {
	case status.Error:
		r.Logger.Error(e.Message, about...)
	case status.Warning:
		r.Logger.Warn(e.Message, about...)
	default:
		r.Logger.Debug(e.Message, about...)
	}
}
