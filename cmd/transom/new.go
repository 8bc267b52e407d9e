package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

func newNew() *cobra.Command {
	return group(&cobra.Command{
		Use:   "new",
		Short: "Start an offering, a version or a request",
		Long: `Start an offering, a version or a request: write its files where they belong in a platform repository. What is
written passes check, and no existing file is ever touched.`,
		Example: `  transom new request payments/orders-db --offering postgres
  transom new offering queue --title "Message queue" --owner platform
  transom new version postgres 1.6.0`,
	}, newNewOffering(), newNewVersion(), newNewRequest())
}

func newNewOffering() *cobra.Command {
	var o struct {
		output             output
		in                 platformDir
		title, owner, desc string
		chart, from        string
	}
	cmd := &cobra.Command{
		Use:   "offering NAME",
		Short: "Start an offering with a first version",
		Long: `Start an offering with a first version 0.1.0: a Deployment whose image a request gives. Replace it by what the
offering is; "transom check" says what does not fit.

With --from-chart, the version is a Helm chart, which is copied into it from a directory or an archive (.tgz). The values
that requests usually give (image tag, replicas, resources, ingress) are proposed as parameters, described by the comments of
values.yaml and by values.schema.json, and a golden test has the objects that the chart comes to by itself.

With --from, the version has the manifests of a directory, under the names that they have and without the fields that an API
server adds, so that a request with "adopt: true" can take over those that run.`,
		Example: `  transom new offering queue --title "Message queue" --owner platform
  transom new offering queue -C ./platform
  transom new offering queue --from-chart ./charts/queue-7.1.0.tgz
  transom new offering queue --from ./manifests`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if err := isFree(o.in.dir, name); err != nil {
				return err
			}
			s := &scaffold{Next: fmt.Sprintf("next: edit offerings/%s/0.1.0, then \"transom check\"; \"transom catalog %s\" shows what requests see", name, name)}
			s.add(path.Join("offerings", name, "offering.yaml"), offeringFile(name, o.title, o.desc, o.owner))
			var err error
			switch {
			case o.chart != "" && o.from != "":
				return misuse("--from and --from-chart are two beginnings: choose one")
			case o.chart != "":
				err = s.fromChart(name, "0.1.0", o.chart)
			case o.from != "":
				err = s.fromManifests(name, "0.1.0", o.from)
			default:
				s.firstVersion(name, "0.1.0")
			}
			if err != nil {
				return err
			}
			return finish(cmd, &o.output, s, o.in.dir, nil)
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.title, "title", "", "its name for people")
	f.StringVar(&o.desc, "description", "", "what it is for")
	f.StringVar(&o.owner, "owner", "", "who answers for it")
	f.StringVar(&o.from, "from", "", "a directory of manifests to begin with")
	f.StringVar(&o.chart, "from-chart", "", "a Helm chart to begin with: its directory, or its archive")
	return cmd
}

// isFree refuses a name that no offering can have, or that one has, before anything is read for it.
func isFree(dir, name string) error {
	if len(validation.IsDNS1035Label(name)) > 0 { // a path would lead elsewhere
		return misuse("the offering %q: it must be a DNS label: small letters, digits and dashes, a letter first and no dash last", name)
	}
	if _, err := os.Stat(filepath.Join(dir, "offerings", name, "offering.yaml")); err == nil {
		return fmt.Errorf("there is an offering %s already; nothing was written; \"transom new version %s NUMBER\" starts a version of it", name, name)
	}
	return nil
}

func newNewVersion() *cobra.Command {
	var o struct {
		output output
		in     platformDir
		from   string
	}
	cmd := &cobra.Command{
		Use:   "version OFFERING VERSION",
		Short: "Start a version as a copy of another",
		Long: `Start a version of an offering as a copy of its highest one, or of --from, tests included. Requests that its number
matches move to it once it is merged; "transom plan" shows which. "lifecycle: experimental" in offering.yaml keeps them
from it, but for those that name it exactly.`,
		Example: `  transom new version postgres 1.6.0
  transom new version postgres 1.4.3 --from 1.4.2`,
		Args: takes(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			s, err := draftVersion(p, os.DirFS(o.in.dir), args[0], args[1], o.from)
			if err != nil {
				return err
			}
			return finish(cmd, &o.output, s, o.in.dir, nil)
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	cmd.Flags().StringVar(&o.from, "from", "", "the version to copy; absent: the highest")
	cmd.ValidArgsFunction = completeOfferings(&o.in)
	return cmd
}

// draftVersion copies a version of an offering to a new number.
func draftVersion(p *platform.Platform, files fs.FS, name, number, from string) (*scaffold, error) {
	offering, err := workspace.OfferingNamed(p, name)
	if err != nil {
		return nil, err
	}
	if v, err := semver.StrictNewVersion(number); err != nil || v.Metadata() != "" {
		return nil, fmt.Errorf("%q is no version number such as 1.6.0", number)
	}
	if offering.Version(number) != nil {
		return nil, fmt.Errorf("%s has a version %s already; nothing was written", name, number)
	}
	s := &scaffold{Next: "next: edit it, then \"transom check\"; \"transom plan\" shows who would move to it"}
	if len(offering.Versions) == 0 && from == "" {
		s.firstVersion(name, number)
		return s, nil
	}
	source := offering.Versions[max(0, len(offering.Versions)-1):]
	if from != "" {
		v, err := workspace.VersionNamed(offering, from)
		if err != nil {
			return nil, err
		}
		source = []*platform.Version{v}
	}
	if err := s.copy(files, source[0].Dir, path.Join("offerings", name, number)); err != nil {
		return nil, err
	}
	s.retarget(number)
	return s, nil
}

// retarget makes the requests of copied tests ask for the new version where they do not.
func (s *scaffold) retarget(number string) {
	version := semver.MustParse(number)
	for name, content := range s.contents {
		if ok, _ := path.Match("offerings/*/*/tests/*/request.yaml", name); !ok {
			continue
		}
		want := fmt.Sprintf("%d.%d", version.Major(), version.Minor())
		if version.Prerelease() != "" {
			want = number
		}
		edited, before, err := yamledit.Set(string(content), yamledit.Path{{Key: "spec"}, {Key: "version"}}, want)
		if err != nil {
			continue // check tells its Problem
		}
		was, _ := before.(string)
		if constraint, err := semver.NewConstraint(was); err != nil || !constraint.Check(version) {
			s.contents[name] = []byte(edited)
		}
	}
}

// copy adds every file below one directory to another.
func (s *scaffold) copy(files fs.FS, from, to string) error {
	err := fs.WalkDir(files, from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		s.add(to+strings.TrimPrefix(name, from), string(data))
		return err
	})
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

func newNewRequest() *cobra.Command {
	var o struct {
		output       output
		in           platformDir
		offering     string
		version      string
		environments []string
	}
	cmd := &cobra.Command{
		Use:   "request TEAM/REQUEST --offering OFFERING",
		Short: "Start a request from its offering's parameters",
		Long: `Start a request from its offering's parameters: each with a comment that explains it, required ones with an example
to replace, the others commented out with their defaults. Bindings name a request of the team that fits, where it has one.`,
		Example: `  transom new request payments/orders-db --offering postgres
  transom new request payments/orders-db --offering postgres --version 1.4 -e dev -e staging`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := platform.ParseRequestKey(args[0])
			if err != nil {
				return usageError{err}
			}
			if err := key.Check(); err != nil {
				return usageError{err}
			}
			p, err := o.in.load()
			if err != nil {
				return err
			}
			if o.offering == "" {
				return misuse("--offering says what is requested: one of %s", strings.Join(slices.Sorted(maps.Keys(p.Offerings)), ", "))
			}
			draft, err := draftRequest(p, key, o.offering, o.version, o.environments)
			if err != nil {
				return err
			}
			file := key.File()
			s := &scaffold{Next: fmt.Sprintf("next: edit %s, then \"transom check\"; \"transom plan\" shows what it brings", file)}
			s.add(file, draft.YAML())
			return finish(cmd, &o.output, s, o.in.dir, isValue)
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.offering, "offering", "", "what is requested")
	f.StringVar(&o.version, "version", "", "a version or constraint; absent: the newest, and what succeeds it")
	f.StringSliceVarP(&o.environments, "environment", "e", nil, "where it runs; absent: everywhere")
	return cmd
}

// draftRequest starts a request from the parameters of the version that it would get.
func draftRequest(p *platform.Platform, key platform.RequestKey, offering, version string, in []string) (*schema.Draft, error) {
	o, err := workspace.OfferingNamed(p, offering)
	if err != nil {
		return nil, err
	}
	v, err := workspace.VersionNamed(o, "")
	if err != nil {
		return nil, err
	}
	constraint := version
	if version == "" {
		constraint = o.Constraint(v)
	} else if v = o.Match(version); v == nil {
		return nil, fmt.Errorf("no published version of %s matches %q; \"transom catalog %s\" lists them", o.Name, version, o.Name)
	}
	if len(in) == 0 {
		in = workspace.Environments(p)
	}
	return &schema.Draft{
		Offering: o, Version: v, Constraint: constraint, Name: key.Name, Environments: in, Comments: true,
		Fitting: fittingOf(p, key.Team, v, in),
	}, nil
}

// fittingOf are the names of a team's requests that a version can be bound to in some environments, by the binding.
func fittingOf(p *platform.Platform, team string, v *platform.Version, in []string) map[string][]string {
	fitting := map[string][]string{}
	for name := range v.Bindings {
		for _, r := range p.RequestsOf(team) {
			misfits := func(environment string) bool { return len(p.Misfits(v, name, r.Key, environment)) > 0 }
			if !r.Broken && !slices.ContainsFunc(in, misfits) {
				fitting[name] = append(fitting[name], r.Key.Name)
			}
		}
	}
	return fitting
}
