// Package reconciler turns a merged platform into committed state, and committed state into deployments.
//
// In comes a trigger, which says only that something may have changed. Out go commits to state repositories,
// deployments of what those repositories then hold, and the facts that status shows. The platform is loaded once per
// trigger; then every environment is reconciled in a lane of its own, so that a state repository that is slow or away
// delays nobody else.
//
// Reconcile is the page that explains the system. What it needs to know after a restart is in Git and in the clusters:
// whatever the package remembers is a cache.
package reconciler
