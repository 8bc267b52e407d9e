package demo

import (
	"os"
	"path/filepath"
	"text/template"

	"transom.dev/cmd/transom/internal/client"
)

// tour is the demo's text once everything is healthy. Every line can be pasted.
var tour = template.Must(template.New("tour").Parse(`
Everything runs. The console: {{.Console}}
For "Five minutes with it" in README.md, begin the second terminal with

  export DEMO={{.Dir}} TRANSOM_SERVER={{.Console}}

  See what runs       {{.Transom}} status{{.Server}}
                      {{.Transom}} status payments/sessions{{.Server}}
                      kubectl --kubeconfig {{.Kubeconfig}} get all -A -l app.kubernetes.io/managed-by=transom
  Change something    git clone {{.Platform}} my-platform
                      # edit my-platform/requests/payments/checkout.yaml, say its image, then:
                      {{.Transom}} plan my-platform
                      git -C my-platform commit -am "checkout: a change" && git -C my-platform push
  Let it into prod    {{.Transom}} promote payments/checkout --environment prod -C my-platform{{.Server}}
                      # writes the file that decides; commit and push it. So do hold, pin and rollback
  Break something     give it an image tagged :broken (never starts), :crash or :slow: it ends in dev. Look at
                      {{.Transom}} status payments/checkout{{.Server}}
                      {{.Transom}} logs payments/checkout --environment dev{{.Server}}
                      {{.Transom}} events payments/checkout --environment dev{{.Server}}
  Ask why             {{.Transom}} explain payments/checkout --environment prod{{.Server}}
                      {{.Transom}} history payments/sessions --environment prod -C my-platform
  Trust, but verify   {{.Transom}} verify prod -C my-platform
                      # renders its state again from what its Release files name, and compares
  Take a cluster away {{.Sandbox}} stop {{.Cluster}} --dir {{.Fleet}}
  and bring it back   {{.Sandbox}} start {{.Cluster}} --dir {{.Fleet}}

Everything is in {{.Dir}}; the daemon's log is {{.Log}}.
What happens is printed here. Ctrl-C ends it all.

`))

// tour names commands to try.
func (d *Demo) tour() error {
	clusters := d.clusters()
	last := clusters[len(clusters)-1]
	server := ""
	if d.client.Server != client.DefaultServer {
		server = " --server " + d.client.Server
	}
	return tour.Execute(d.out, map[string]string{
		"Console": d.client.Server, "Server": server, "Platform": d.repos.platform, "Dir": d.Dir, "Log": d.daemonLog(),
		"Transom": ourselves(), "Sandbox": fromHere(d.Sandbox), "Fleet": d.fleetDir(), "Cluster": last, "Kubeconfig": d.kubeconfig(last),
	})
}

// ourselves is how a person runs this binary.
func ourselves() string {
	binary, err := os.Executable()
	if err != nil {
		return "transom"
	}
	return fromHere(binary)
}

// fromHere is a path as a person in the working directory would write it.
func fromHere(file string) string {
	dir, err := os.Getwd()
	if err != nil {
		return file
	}
	if near, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(near) {
		return near
	}
	return file
}
