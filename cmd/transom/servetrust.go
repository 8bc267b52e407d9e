package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/pflag"

	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
)

// trustOptions are the flags that say which commits of the state branches are believed.
type trustOptions struct {
	key  string
	keys []string
	from []string

	read reconciler.Trust // once the files were read
}

func (o *trustOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.key, "state-key", "", "SSH private key, without a passphrase, that signs state commits; with it, unsigned ones are not believed")
	f.StringArrayVar(&o.keys, "state-keys", nil, "file of public keys whose state commits are believed, too; may be repeated")
	f.StringArrayVar(&o.from, "trust-state", nil, "state commit that needs no signature, nor does any before it; one per branch, may be repeated")
}

// wholeCommit matches a commit that is not abbreviated.
var wholeCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// trust reads the keys.
func (o *trustOptions) trust() (reconciler.Trust, error) {
	t := reconciler.Trust{From: o.from}
	if o.key == "" {
		if len(o.keys)+len(o.from) > 0 {
			return t, misuse("--state-keys and --trust-state are about signed state: they need --state-key")
		}
		return t, nil
	}
	for _, commit := range o.from {
		if !wholeCommit.MatchString(commit) {
			return t, misuse("--trust-state %q: give all 40 digits of a state commit", commit)
		}
	}
	var err error
	if t.Key, err = gitrepo.ReadSigningKey(o.key); err != nil {
		return t, fmt.Errorf("--state-key: %w", err)
	}
	for _, file := range o.keys {
		keys, err := gitrepo.ReadPublicKeys(file)
		if err != nil {
			return t, fmt.Errorf("--state-keys: %w", err)
		}
		t.Keys = append(t.Keys, keys...)
	}
	return t, nil
}
