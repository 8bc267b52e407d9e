// Package reconciler turns a merged platform into committed state, and committed state into deployments.
//
// In comes a trigger, which says only that something may have changed. Out go commits to state repositories,
// deployments of the commits that those repositories then have, and the facts that status shows. The platform is loaded once
// per trigger; then every environment is reconciled in a loop of its own, so that a state repository that is slow or away
// delays nobody else.
//
// pass.reconcile is the page that explains the system. All facts that it needs after a restart are in Git and in the clusters:
// the memory of the package is only a cache.
package reconciler
