package e2e_test

import (
	"time"

	"github.com/stretchr/testify/require"
)

// bound is an application whose Widget has an output of its database for a build: the image that the database runs.
func bound(team, image string) files {
	application := version("application", "1.0.0", "none", "  bindings: {database: {offerings: [database], required: true}}\n")
	application["offerings/application/1.0.0/kustomization.yaml"] += `- source: {kind: Inputs, fieldPath: bindings.database.image}
  targets: [{select: {kind: Widget}, fieldPaths: [spec.build]}]
`
	app := askFor("application", "1", team, "app", "good-1", everywhere)
	for file := range app {
		app[file] += "  bindings: {database: db}\n"
	}
	return offering("database", "").merged(offering("application", ""), application, app,
		version("database", "1.0.0", "1.0.0", "  outputs: [{name: image, value: parameters.image}]\n"),
		askFor("database", "1", team, "db", image, everywhere))
}

// slowDatabase is not well at first, and held before staging.
func slowDatabase(team string) files {
	return bound(team, "slow-db").merged(decide("Hold", "staging", "db", "request: "+team+"/db, reason: audit"))
}

// consumer waits for its database, in every environment: for its health, for its release, and for its outputs.
func consumer(l *ladder) {
	const had, next = "good-1@slow-db", "good-1@good-2"
	l.becomes("db", "slow-db@1.0.0", "dev")
	l.waits("dev", "app", "binding", "/db is not healthy in dev yet")
	require.Empty(l.t, l.saw("dev", "app"))
	l.widgets.judge(l.t.Context(), "slow-db", "Ready")
	l.becomes("app", had, "dev")
	l.waits("staging", "app", "binding", "/db does not run in staging yet")
	l.change("no hold", decide("Hold", "staging", "db", "").without())
	l.becomes("app", had, everyCluster...)
	for _, cluster := range everyCluster {
		database, application := l.since(cluster, "db", "slow-db@1.0.0"), l.since(cluster, "app", had)
		require.False(l.t, application.at.Before(database.healthy), "%s had a healthy database before the application", cluster)
	}

	l.change("db: good-2", askFor("database", "1", l.team, "db", "good-2", everywhere))
	l.becomes("app", next, everyCluster...)
	for before, after := range map[string]string{"dev": "staging", "staging": "prod-1"} {
		database, application := l.since(before, "db", second), l.since(after, "app", next)
		require.GreaterOrEqual(l.t, application.at.Sub(database.healthy), 2*time.Second, "%s took it with its own database, not with that of %s", after, before)
	}
	l.once("app", everyCluster, had, next)
	l.once("db", everyCluster, "slow-db@1.0.0", second)
}

// database is bound and well.
func database(team string) files { return bound(team, "good-1") }

// providerLast removes a database and, later, the requests bound to it: those go first, everywhere.
func providerLast(l *ladder) {
	l.becomes("app", "good-1@good-1", everyCluster...)
	l.change("no db", askFor("", "", l.team, "db", "", "").without())
	l.waits("dev", "db", "binding", "/app runs here and is bound to it")
	l.change("no app", askFor("", "", l.team, "app", "", "").without())
	l.becomes("db", gone, everyCluster...)
	for _, cluster := range everyCluster {
		last, app := l.since(cluster, "db", gone), l.since(cluster, "app", gone)
		require.False(l.t, last.at.Before(app.at), "%s lost the application first: %v, and not %v\n%s", cluster,
			l.sightings(cluster, "app"), l.sightings(cluster, "db"), l.said("pruned"))
	}
	l.forgets("app")
	l.forgets("db")
	l.once("app", everyCluster, "good-1@good-1", gone)
	l.once("db", everyCluster, first, gone)
}
