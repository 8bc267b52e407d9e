package platform_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// fieldsOf lists the paths of the fields of a kind that have something themselves, by the types that its files are decoded
// into. The fields below a parameters schema and a label selector are defined by others.
func fieldsOf(kind string) []string {
	schema := platform.JSONSchema(kind)
	definitions, _ := schema["definitions"].(map[string]any)
	var fields []string
	var walk func(at string, node map[string]any)
	walk = func(at string, node map[string]any) {
		if ref, ok := node["$ref"].(string); ok {
			node, _ = definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
			if node == nil || strings.Contains(at, "parameters") {
				fields = append(fields, at)
				return
			}
		}
		properties, _ := node["properties"].(map[string]any)
		items, _ := node["items"].(map[string]any)
		values, _ := node["additionalProperties"].(map[string]any)
		switch {
		case properties["matchLabels"] != nil:
			fields = append(fields, at)
		case len(properties) > 0:
			for _, name := range slices.Sorted(maps.Keys(properties)) {
				walk(strings.TrimPrefix(at+"."+name, "."), properties[name].(map[string]any))
			}
		case items["properties"] != nil || items["$ref"] != nil:
			walk(at+"[]", items)
		case values["properties"] != nil:
			walk(at+".*", values)
		default:
			fields = append(fields, at)
		}
	}
	walk("", schema)
	return slices.DeleteFunc(fields, func(f string) bool { return f == "apiVersion" || f == "kind" })
}

// effects names for each field of the files that people write the proof that it acts: a test, as FOLDER.TEST, or a script or
// golden case. No field is accepted and ignored, so one that is not here fails the test, and so does a name that nobody has.
var effects = map[string]string{
	"Approval: spec.adoption":          "fleet/apply.TestWhatWouldLoseAFieldWaitsForAnApproval",
	"Approval: spec.deletions":         "reconciler/promotion.TestMassDeletionWaitsAlone",
	"Approval: spec.items[].adoption":  "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.items[].deletions": "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.items[].offering":  "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.items[].plan":      "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.items[].release":   "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.items[].request":   "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.items[].version":   "render/platform.TestAnApprovalOfManyIsOneOfEach",
	"Approval: spec.offering":          "reconciler/promotion.TestVersionApprovalAdmitsTheVersionStepAlone",
	"Approval: spec.plan":              "reconciler/promotion.TestApprovalOfAPlanIsOnRecord",
	"Approval: spec.platform":          "e2e.TestRewoundPlatformFreezesAndDeletesNothing",
	"Approval: spec.release":           "reconciler/promotion.TestUnprovenReleaseNeedsAnApprovalOfExactlyIt",
	"Approval: spec.request":           "reconciler/promotion.TestUnprovenReleaseNeedsAnApprovalOfExactlyIt",
	"Approval: spec.state":             "e2e.TestForgedStateIsNotApplied",
	"Approval: spec.takeover":          "fleet/apply.TestAPersonHasOneStateTakeOverFromAnother",
	"Approval: spec.version":           "reconciler/promotion.TestVersionApprovalAdmitsTheVersionStepAlone",

	"Cluster: metadata.labels": "render/platform/testdata/cluster-labels.txtar",
	"Cluster: spec.inCluster":  "fleet.TestTheOwnClusterIsReachedWithoutAKubeconfig",
	"Cluster: spec.now":        "reconciler/promotion.TestClusterThatDrainsNowWaitsForAnApprovalAlone",
	"Cluster: spec.reason":     "cmd/transom.TestStatusIsATree",
	"Cluster: spec.state":      "fleet.TestPausedClusterIsOnlyObserved",
	"Cluster: spec.uid":        "render.TestPins",

	"Environment: spec.apply":                             "render/testdata/golden/external.txtar",
	"Environment: spec.clusters":                          "render/testdata/golden/cluster-left.txtar",
	"Environment: spec.components":                        "render/testdata/golden/overlay.txtar",
	"Environment: spec.deletionLimit.instances":           "reconciler/promotion.TestMassDeletionWaitsAlone",
	"Environment: spec.deletionLimit.percent":             "reconciler/promotion.TestMassDeletionWaitsAlone",
	"Environment: spec.drift":                             "fleet.TestWhetherDriftIsOnlyReportedIsTheTargets",
	"Environment: spec.gates.approval":                    "reconciler/promotion.TestVersionApprovalAdmitsTheVersionStepAlone",
	"Environment: spec.gates.checks[].every":              "reconciler/check.TestWhatNobodyWaitsForIsNotAsked",
	"Environment: spec.gates.checks[].for":                "reconciler/promotion.TestReleaseWaitsForACheck",
	"Environment: spec.gates.checks[].job":                "reconciler/promotion.TestAReleaseEntersOnceItsJobPassesBefore",
	"Environment: spec.gates.checks[].name":               "reconciler/promotion.TestReleaseWaitsForACheck",
	"Environment: spec.gates.checks[].prometheus.is":      "reconciler/check.TestPrometheusAnswersWithOneNumber",
	"Environment: spec.gates.checks[].prometheus.query":   "render/platform.TestAQuestionIsFilledIn",
	"Environment: spec.gates.checks[].prometheus.url":     "reconciler/check.TestPrometheusAnswersWithOneNumber",
	"Environment: spec.gates.checks[].timeout":            "reconciler/check.TestAPartyIsBounded",
	"Environment: spec.gates.checks[].url":                "render/platform.TestAQuestionIsFilledIn",
	"Environment: spec.gates.grace":                       "reconciler/promotion.TestMeterCountsWhatWasWatched",
	"Environment: spec.gates.replace":                     "reconciler/promotion.TestNewestReplacesWhatSoaksWhereAnEnvironmentSaysSo",
	"Environment: spec.gates.soak":                        "reconciler/promotion.TestReleaseEarnsItsWayThroughEnvironmentsAndWaves",
	"Environment: spec.gates.unproven":                    "reconciler/promotion.TestUnprovenReleaseNeedsAnApprovalOfExactlyIt",
	"Environment: spec.imagePullSecrets":                  "render.TestPullSecretsReachEachPod",
	"Environment: spec.impersonate.clusterScoped":         "fleet/apply.TestWithoutAnAccountNothingIsWritten",
	"Environment: spec.impersonate.serviceAccount":        "fleet/apply.TestObjectsAreWrittenAsTheAccountOfTheirTeam",
	"Environment: spec.kubernetes":                        "render/testdata/golden/chart.txtar",
	"Environment: spec.logs":                              "reconciler/web.TestLogsAreForDevelopersOfTheTeamWhereTheEnvironmentSaysSo",
	"Environment: spec.namespace.adopt":                   "fleet/apply.TestANamespaceIsAdoptedWhereTheEnvironmentNamesIt",
	"Environment: spec.namespace.components":              "render/testdata/golden/namespace.txtar",
	"Environment: spec.namespace.name":                    "render/platform.TestNamespaceIsComputedAndHeldToTheRules",
	"Environment: spec.promotesFrom":                      "reconciler/promotion.TestReleaseEarnsItsWayThroughEnvironmentsAndWaves",
	"Environment: spec.reserved[].kinds[].group":          "render/testdata/golden/reserved-listed.txtar",
	"Environment: spec.reserved[].kinds[].kind":           "render/testdata/golden/reserved-listed.txtar",
	"Environment: spec.reserved[].namespace":              "render/testdata/golden/reserved-listed.txtar",
	"Environment: spec.rollout.checks[].every":            "reconciler/check.TestWhatNobodyWaitsForIsNotAsked",
	"Environment: spec.rollout.checks[].for":              "reconciler/promotion.TestAReadyReleaseThatACheckCondemnsIsTakenBack",
	"Environment: spec.rollout.checks[].job":              "render/platform/testdata/environment-job-checks.txtar",
	"Environment: spec.rollout.checks[].name":             "reconciler/promotion.TestAReadyReleaseThatACheckCondemnsIsTakenBack",
	"Environment: spec.rollout.checks[].prometheus.is":    "reconciler/check.TestPrometheusAnswersWithOneNumber",
	"Environment: spec.rollout.checks[].prometheus.query": "render/platform.TestAQuestionIsFilledIn",
	"Environment: spec.rollout.checks[].prometheus.url":   "reconciler/check.TestPrometheusAnswersWithOneNumber",
	"Environment: spec.rollout.checks[].timeout":          "reconciler/check.TestAPartyIsBounded",
	"Environment: spec.rollout.checks[].url":              "render/platform.TestAQuestionOfARolloutHasTheClusterAndTheRevision",
	"Environment: spec.rollout.instances.first":           "reconciler/promotion.TestManyInstancesEnterOnceTheFirstIsHealthy",
	"Environment: spec.rollout.instances.maxConcurrent":   "reconciler/promotion.TestManyInstancesEnterOnceTheFirstIsHealthy",
	"Environment: spec.rollout.instances.maxFailures":     "reconciler/promotion.TestBadVersionTouchesFewOfManyInstances",
	"Environment: spec.rollout.onFailure":                 "reconciler/promotion.TestSchedules",
	"Environment: spec.rollout.progressDeadline":          "reconciler/promotion.TestARejectionNamesWhatItIsMadeOn",
	"Environment: spec.rollout.waves[].clusters":          "reconciler/promotion.TestReleaseEarnsItsWayThroughEnvironmentsAndWaves",
	"Environment: spec.rollout.waves[].maxConcurrent":     "reconciler/promotion.TestAWaveTakesSoManyClustersAtATime",
	"Environment: spec.rollout.waves[].name":              "reconciler/promotion.TestAWaveTakesSoManyClustersAtATime",
	"Environment: spec.rollout.waves[].soak":              "reconciler/promotion.TestReleaseEarnsItsWayThroughEnvironmentsAndWaves",
	"Environment: spec.secrets.recipients":                "render.TestWhatIsWrongWithSealedValues",
	"Environment: spec.state.branch":                      "cmd/transom.TestRecordsAreOnTheBranchesThatTheDaemonFollows",
	"Environment: spec.state.url":                         "cmd/transom.TestRecordsAreOnTheBranchesThatTheDaemonFollows",
	"Environment: spec.values":                            "render/platform/testdata/values.txtar",
	"Environment: spec.windows[].cron":                    "reconciler/promotion.TestWindowOpensByBothClocks",
	"Environment: spec.windows[].deny":                    "render/platform/testdata/environment-fields.txtar",
	"Environment: spec.windows[].duration":                "reconciler/promotion.TestWindowOpensByBothClocks",
	"Environment: spec.windows[].timeZone":                "render/platform.TestWindowKeepsToItsTimeZone",

	"Hold: spec.cluster":  "reconciler/promotion.TestHoldOfAClusterKeepsWhatItHasThere",
	"Hold: spec.from":     "reconciler/promotion.TestHoldIsInForceFromAndUntilItsTimes",
	"Hold: spec.offering": "reconciler/promotion.TestHoldsStopReleasesButNoRollback",
	"Hold: spec.reason":   "reconciler/promotion.TestAHoldSaysWhy",
	"Hold: spec.request":  "reconciler/promotion.TestPinToWhatNeverRanHereWaitsForHoldsAndWindows",
	"Hold: spec.team":     "reconciler/promotion.TestNamespacesChangeAsTheEnvironmentMay",
	"Hold: spec.until":    "reconciler/promotion.TestHoldIsInForceFromAndUntilItsTimes",

	"Notification: spec.environments": "reconciler/notify.TestWhoIsToldOfWhat",
	"Notification: spec.events":       "reconciler/notify.TestWhoIsToldOfWhat",
	"Notification: spec.target":       "reconciler/notify.TestWhoIsToldOfWhat",
	"Notification: spec.teams":        "reconciler/notify.TestWhoIsToldOfWhat",

	"Offering: spec.deletion":               "reconciler/promotion.TestConfirmedDeletionNeedsAnApprovalOfTheRemoval",
	"Offering: spec.description":            "cmd/transom/testdata/script/catalog.txtar",
	"Offering: spec.links[].name":           "render/platform.TestLinksLeadToTheHostThatIsWrittenOut",
	"Offering: spec.links[].url":            "render/platform.TestLinksLeadToTheHostThatIsWrittenOut",
	"Offering: spec.owner":                  "cmd/transom/testdata/script/catalog.txtar",
	"Offering: spec.routine":                "reconciler/promotion.TestRoutineChangesNeedNoApproval",
	"Offering: spec.teams":                  "render/platform/testdata/team-not-allowed.txtar",
	"Offering: spec.title":                  "cmd/transom/testdata/script/catalog.txtar",
	"Offering: spec.versions.*.lifecycle":   "render/platform/testdata/withdrawn.txtar",
	"Offering: spec.versions.*.reason":      "render/platform/testdata/deprecated.txtar",
	"Offering: spec.versions.*.removeAfter": "render/platform/testdata/deprecated.txtar",

	"Override: spec.offering": "reconciler/promotion.TestOverrideTakesAPatchPastSoakAndWindow",
	"Override: spec.reason":   "reconciler/promotion.TestOverrideTakesAPatchPastSoakAndWindow",
	"Override: spec.release":  "reconciler/promotion.TestSchedules",
	"Override: spec.request":  "e2e.TestPromotion",
	"Override: spec.skip":     "reconciler/promotion.TestOverrideTakesAPatchPastSoakAndWindow",
	"Override: spec.until":    "reconciler/promotion.TestOverrideEndsAtItsTime",
	"Override: spec.version":  "reconciler/promotion.TestOverrideTakesAPatchPastSoakAndWindow",

	"Pin: spec.offering": "reconciler.TestPinNamesAPublishedVersion",
	"Pin: spec.reason":   "reconciler/promotion.TestPinKeepsAnEnvironmentAtWhatItNames",
	"Pin: spec.release":  "reconciler/promotion.TestPinKeepsAnEnvironmentAtWhatItNames",
	"Pin: spec.request":  "reconciler/promotion.TestPinKeepsAnEnvironmentAtWhatItNames",
	"Pin: spec.until":    "reconciler/promotion.TestAPinEndsAtItsTime",
	"Pin: spec.version":  "reconciler.TestPinNamesAPublishedVersion",

	"Policy: spec.action":                   "render/testdata/golden/policy-warns.txtar",
	"Policy: spec.match.environments":       "render/testdata/golden/policy-denies.txtar",
	"Policy: spec.match.kinds[].group":      "render/testdata/golden/policy-denies.txtar",
	"Policy: spec.match.kinds[].kind":       "render/testdata/golden/policy-denies.txtar",
	"Policy: spec.match.offerings":          "render/testdata/golden/quota.txtar",
	"Policy: spec.quotas[].amount":          "render/testdata/golden/quota.txtar",
	"Policy: spec.quotas[].each":            "render/testdata/golden/quota.txtar",
	"Policy: spec.quotas[].message":         "render/testdata/golden/quota.txtar",
	"Policy: spec.quotas[].most":            "render/testdata/golden/quota.txtar",
	"Policy: spec.validations[].expression": "render/testdata/golden/policy-denies.txtar",
	"Policy: spec.validations[].message":    "render/testdata/golden/policy-denies.txtar",

	"Request: spec.adopt":                     "fleet/apply.TestWhatExistsIsAdoptedWhereTheRequestSaysSo",
	"Request: spec.bindings":                  "render/testdata/golden/binding.txtar",
	"Request: spec.environments.*.bindings":   "render/platform/testdata/binding.txtar",
	"Request: spec.environments.*.hold":       "reconciler/promotion.TestSchedules",
	"Request: spec.environments.*.parameters": "render/platform.TestParametersAreMergedAndDefaulted",
	"Request: spec.environments.*.version":    "render/platform/testdata/override-version.txtar",
	"Request: spec.offering":                  "render/platform/testdata/unknown-offering.txtar",
	"Request: spec.onRemoval":                 "fleet/apply.TestWhatWasAdoptedIsDeletedWhereTheRequestSaysSo",
	"Request: spec.parameters":                "render/platform.TestParametersAreMergedAndDefaulted",
	"Request: spec.version":                   "render/platform.TestHighestPublishedVersionThatMatchesIsResolved",

	"Version: spec.bindings.*.offerings": "render/platform/testdata/binding-wrong.txtar",
	"Version: spec.bindings.*.required":  "render/platform/testdata/binding-wrong.txtar",
	"Version: spec.chart.hooks.omit":     "render/testdata/golden/chart-hooks.txtar",
	"Version: spec.chart.namespace":      "render/testdata/golden/chart-cluster.txtar",
	"Version: spec.chart.path":           "render/testdata/golden/chart.txtar",
	"Version: spec.chart.values":         "render/testdata/golden/chart.txtar",
	"Version: spec.components[].path":    "render/testdata/golden/components.txtar",
	"Version: spec.components[].when":    "render/testdata/golden/components.txtar",
	"Version: spec.computed":             "render/platform.TestInputsAreWhatRenderingMayRead",
	"Version: spec.health[].applied":     "fleet/apply.TestAHealthEntryForABuiltinKindActs",
	"Version: spec.health[].failed":      "fleet/apply.TestAHealthEntryForABuiltinKindActs",
	"Version: spec.health[].group":       "fleet/apply.TestHealthOfCustomResources",
	"Version: spec.health[].healthy":     "fleet/apply.TestAHealthEntryForABuiltinKindActs",
	"Version: spec.health[].kind":        "fleet/apply.TestHealthOfCustomResources",
	"Version: spec.ignore[].fields":      "fleet/apply.TestIgnoredFieldIsLeftToWhoeverTookIt",
	"Version: spec.ignore[].group":       "fleet/apply.TestIgnoredFieldIsLeftToWhoeverTookIt",
	"Version: spec.ignore[].kind":        "fleet/apply.TestIgnoredFieldIsLeftToWhoeverTookIt",
	"Version: spec.kinds[].group":        "render/testdata/golden/kinds.txtar",
	"Version: spec.kinds[].kind":         "render/testdata/golden/kinds.txtar",
	"Version: spec.kinds[].scope":        "render/testdata/golden/kinds.txtar",
	"Version: spec.kinds[].versions":     "render/testdata/golden/chart.txtar",
	"Version: spec.names":                "render/testdata/golden/verbatim.txtar",
	"Version: spec.outputs[].example":    "render.TestAConsumerIsRenderedWithTheExampleWhereNobodyObserves",
	"Version: spec.outputs[].from.group": "fleet/apply.TestTheValueOfAnOutputIsReadFromTheStatusOfItsObject",
	"Version: spec.outputs[].from.kind":  "render/testdata/golden/observed.txtar",
	"Version: spec.outputs[].from.path":  "render/platform.TestAnObservedValueIsReadAtItsPath",
	"Version: spec.outputs[].pattern":    "render/platform.TestAnObservedValueIsReadAtItsPath",
	"Version: spec.outputs[].type":       "render/platform.TestAnObservedValueIsReadAtItsPath",
	"Version: spec.outputs[].urgent":     "reconciler/promotion.TestAnUrgentValuePassesWindowsAndApproval",
	"Version: spec.outputs[].name":       "render/testdata/golden/output.txtar",
	"Version: spec.outputs[].value":      "render/testdata/golden/output.txtar",
	"Version: spec.parameters":           "render/platform/testdata/version-schema.txtar",
	"Version: spec.placement.clusters":   "render/platform/testdata/placement.txtar",
	"Version: spec.reversible":           "reconciler/promotion.TestIrreversibleVersionStops",
	"Version: spec.scope":                "render/testdata/golden/cluster-scoped.txtar",
}

// own says of metadata which field is people's own, as in every object of Kubernetes: it is for their tools.
func own(field string) bool {
	kind, path, _ := strings.Cut(field, ": ")
	return path == "metadata.annotations" || path == "metadata.labels" && kind != "Cluster"
}

func TestNoFieldIsAcceptedAndIgnored(t *testing.T) {
	known := map[string]bool{}
	for _, kind := range platform.Kinds() {
		for _, path := range fieldsOf(kind) {
			field := kind + ": " + path
			if own(field) || path == "metadata.name" { // that is its file's, which TestLoadSaysWhatIsWrongAndWhatGoesOn shows
				continue
			}
			known[field] = true
			require.NotEmpty(t, effects[field], "%s: name what shows that it acts", field)
		}
	}
	for field, shows := range effects {
		require.True(t, known[field], "there is no field %s any more", field)
		require.True(t, exists(t, shows), "%s: there is no %s", field, shows)
	}
}

// TestAFieldThatNobodyKnowsIsFound: the walk comes to every field, also of lists and of maps.
func TestAFieldThatNobodyKnowsIsFound(t *testing.T) {
	require.Subset(t, fieldsOf("Environment"), []string{"spec.rollout.waves[].soak", "spec.values", "spec.clusters"})
	require.Contains(t, fieldsOf("Offering"), "spec.versions.*.removeAfter")
	require.Contains(t, fieldsOf("Version"), "spec.health[].applied")
	require.False(t, exists(t, "render/platform.TestOfNothing"))
}

// exists reports whether the repository has a test, by folder and name, or a file.
func exists(t *testing.T, shows string) bool {
	t.Helper()
	top := filepath.Join("..", "..")
	if strings.HasSuffix(shows, ".txtar") {
		_, err := os.Stat(filepath.Join(top, shows))
		return err == nil
	}
	dir, name, _ := strings.Cut(shows, ".")
	files, err := filepath.Glob(filepath.Join(top, dir, "*_test.go"))
	require.NoError(t, err)
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return regexp.MustCompile(`(?m)^func ` + name + `\(`).Match(text)
	})
}
