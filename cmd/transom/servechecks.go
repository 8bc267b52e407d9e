package main

import (
	"time"

	"github.com/spf13/pflag"

	"transom.dev/reconciler/check"
	"transom.dev/reconciler/web"
)

// askOptions are the flags about the checks of environments.
type askOptions struct{ hosts []string }

const checkHelp = `Checks of environments (gates.checks, rollout.checks) ask services and Prometheus whether a release may enter, and whether it is
well once it is there. Only hosts that --check-hosts names are asked, HOST for all ports or HOST:PORT; a check of another host is waited for and
says so. Redirects are not followed.
A check may also be a Job of a version, which runs on the clusters of the environments before and asks nobody from here.
An address of this machine or of a cloud's metadata is asked only where the check and the flag name the address itself.`

func (o *askOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.hosts, "check-hosts", nil, "hosts that the checks of environments may ask, such as prometheus.monitoring:9090 (repeatable)")
}

func (o *askOptions) check() error {
	if err := check.CheckHosts(o.hosts); err != nil {
		return misuse("--check-hosts %s", err)
	}
	return nil
}

// asker asks the parties of checks.
func (o *askOptions) asker(figures *web.Figures) *check.Asker {
	return &check.Asker{
		Ask: check.NewClient(o.hosts).Ask, Now: time.Now,
		Asked: func(environment, name string, answer check.Answer, took time.Duration) {
			figures.Asked(environment, name, string(answer.Verdict), took)
		},
	}
}
