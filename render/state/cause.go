package state

// Cause names the change that a rollout brings to the clusters.
type Cause string

// The causes of a rollout.
const (
	CauseRelease     Cause = "release"     // the first release, or another one with the version that runs
	CauseVersion     Cause = "version"     // another version of the offering
	CauseEnvironment Cause = "environment" // the environment changed, and the release stays
	CauseBinding     Cause = "binding"     // a request that it is bound to changed, and the release stays
	CausePin         Cause = "pin"         // a Pin names the release
	CauseRollback    Cause = "rollback"    // the release failed, and the bytes that were healthy before come back
	CauseRemoval     Cause = "removal"     // nobody asks for the release any more
)
