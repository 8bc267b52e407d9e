// Package status keeps the status of the platform, every environment, every cluster and every instance: where it stands on
// its way from Rendered over Committed and Applied to Healthy, and why it is not further.
//
// In come facts, as the reconciler and the fleet learn them. Out go a Status to read at any time, a short history of the
// changes, and a subscription that says that there was one. It decides nothing, calls nobody and stores nothing: after a
// restart it is filled again from Git and the clusters.
package status
