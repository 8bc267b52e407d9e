package state

// Labels of every object in a state repository, which say whose it is.
const (
	LabelTeam        = "transom.dev/team"
	LabelRequest     = "transom.dev/request"
	LabelEnvironment = "transom.dev/environment"
	LabelOffering    = "transom.dev/offering"
	LabelManagedBy   = "app.kubernetes.io/managed-by" // ManagedBy

	// LabelCheck is on the objects of a check by Jobs, instead of LabelManagedBy: they are in no state repository.
	LabelCheck = "transom.dev/check"
)

// Annotations of objects in a state repository. But for the digest, drift and pull secrets, authors of offerings write them.
const (
	AnnotationDigest       = "transom.dev/digest"        // the object's digest, where another agent applies it
	AnnotationPrune        = "transom.dev/prune"         // whether the applier may delete the object
	AnnotationPruneOrder   = "transom.dev/prune-order"   // PruneFirst, or nothing
	AnnotationReplace      = "transom.dev/replace"       // "true": the applier may delete the object to make it anew
	AnnotationStep         = "transom.dev/step"          // the object's position in the order in which an instance is applied
	AnnotationGenerate     = "transom.dev/generate"      // on a Secret: what its values are
	AnnotationGenerateKeys = "transom.dev/generate-keys" // on a Secret: the keys that get a generated value
	AnnotationSealed       = "transom.dev/sealed"        // on a Secret: the keys whose values a request gives
	AnnotationPullSecret   = "transom.dev/pull-secret"   // on a Secret: the image pull secret of the environment that it is
	AnnotationSelectors    = "transom.dev/selectors"     // on a workload: how its selector was made
	AnnotationDrift        = "transom.dev/drift"         // DriftStrict, on the objects of an environment that asks for it
	AnnotationNames        = "transom.dev/names"         // NamesAsWritten: names in the object's texts are meant as they are
)

// The values that the labels and annotations take.
const (
	ManagedBy          = "transom"
	PruneFirst         = "first"      // the object goes before the one that replaces it is healthy; there is no other order
	SelectorsAsWritten = "as-written" // Transom adds nothing to the selector
	DriftStrict        = "strict"     // what is set by hand beside the object's fields is taken back
	NamesAsWritten     = "as-written" // nothing warns of names without their prefix
)

// Trailers of the commits of a state repository.
const (
	TrailerPlatformCommit = "Transom-Platform-Commit" // the platform commit that was rendered
	TrailerRelease        = "Transom-Release"         // TEAM/REQUEST and the digest of a release that the commit brings
)
