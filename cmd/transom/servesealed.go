package main

import (
	"github.com/spf13/pflag"

	"transom.dev/render/sealed"
)

// sealedOptions are the flags about the keys of sealed Secrets.
type sealedOptions struct{ identities []string }

func (o *sealedOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.identities, "age-identities", nil,
		"file of age identities, which open the secrets that requests give (repeatable); read again for each Secret that is written")
}

// check reads the files once, before anything is started.
func (o *sealedOptions) check() error {
	_, err := o.read()
	return err
}

// read reads the keys of all files.
func (o *sealedOptions) read() (*sealed.Keys, error) { return readIdentities(o.identities) }
