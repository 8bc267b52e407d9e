package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/decision"
)

// pinning are the flags of the commands that write a Pin: pin and rollback.
type pinning struct {
	deciding
	until  string
	reason string
}

func (o *pinning) flag(cmd *cobra.Command) {
	o.deciding.flag(cmd, o.records.flagsOfMany)
	f := cmd.Flags()
	f.StringVar(&o.until, "until", "", "when it ends, a time or a duration from now; left out, when the file is deleted")
	f.StringVar(&o.reason, "reason", "", "why (required)")
}

// writePin writes the Pin of a release, or, where there is none, of a version.
func (o *pinning) writePin(cmd *cobra.Command, s subject, release *knownRelease, verb string) error {
	if o.reason == "" {
		return misuse("%s needs --reason: it shows as debt until it is removed", cmd.CommandPath())
	}
	until, err := moment("until", o.until, time.Now())
	if err != nil {
		return err
	}
	c := &decisionFile{kind: decision.Pin, name: fileName(append([]string{"pin"}, s.parts()...)...), about: verb + " " + s.String()}
	if release == nil {
		c.name = fileName("pin", s.offering)
		c.set("offering", s.offering)
		c.set("version", s.version)
	} else {
		c.about, c.comment = fmt.Sprintf("%s %s to %s", verb, s, terminal.Short(release.digest)), release.String()
		c.set("request", s.request.String())
		c.set("release", release.digest)
	}
	c.set("until", until)
	c.set("reason", o.reason)
	return o.finish(cmd, c, []string{"it shows as debt, and nothing newer is taken, until the file is deleted"})
}
