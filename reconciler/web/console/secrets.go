package console

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// A secretField is a value that a version takes from a sealed file beside the request. No form has an input for it: a value in an address is no
// secret, and one in the request's file is merged.
type secretField struct {
	Key      string
	Optional bool
	When     string // it is asked for, in words; empty: always
	Mistake  string
}

// Required says whether each request gives it.
func (s secretField) Required() bool { return s.When == "" && !s.Optional }

var (
	sealedKeys  = regexp.MustCompile(`transom\.dev/sealed["']?:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^"'\n#}]+))`)
	sealedKey   = regexp.MustCompile(`^([-._a-zA-Z0-9]+)(\??)$`)
	chartChoice = regexp.MustCompile(`{{-?\s*(?:if|with|range)\b`)
)

// secretsOf finds the keys that the files of a version list to be sealed, those that are required first. Where a part of the version or its chart
// decides whether they are asked for, nothing is evaluated: rendering does that, so that "transom check" and a plan have the last word.
func secretsOf(v *platform.Version) []secretField {
	found := map[string]secretField{}
	_ = fs.WalkDir(v.Files, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(file, "tests/") {
			return nil // a directory in memory cannot fail
		}
		text, _ := fs.ReadFile(v.Files, file)
		for _, match := range sealedKeys.FindAllSubmatch(text, -1) {
			for key := range strings.SplitSeq(string(slices.Concat(match[1:]...)), ",") {
				parts := sealedKey.FindStringSubmatch(strings.TrimSpace(key))
				if parts == nil {
					continue
				}
				one := secretField{Key: parts[1], Optional: parts[2] != "", When: condition(v, file, text)}
				if known, ok := found[one.Key]; !ok || known.When != "" {
					found[one.Key] = one
				}
			}
		}
		return nil
	})
	var all []secretField
	for _, one := range found {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b secretField) int {
		if a.Required() != b.Required() {
			return map[bool]int{true: -1, false: 1}[a.Required()]
		}
		return strings.Compare(a.Key, b.Key)
	})
	return all
}

// lacking are those that a request does not give yet in each of its environments.
func lacking(all []secretField, p *platform.Platform, request *platform.Request) []secretField {
	return slices.DeleteFunc(all, func(one secretField) bool {
		for environment := range request.Spec.Environments {
			in := p.InstanceSet(environment).Of(request.Key)
			if in == nil || in.Sealed == nil || in.Sealed.Values[one.Key] == "" {
				return false
			}
		}
		return true
	})
}

// condition says when the objects of a file are rendered; empty: always.
func condition(v *platform.Version, file string, text []byte) string {
	for _, part := range v.Components {
		if part.When != nil && strings.HasPrefix(file, strings.TrimSuffix(part.Path, "/")+"/") {
			return "when " + part.When.Source
		}
	}
	if v.Chart != nil && strings.HasPrefix(v.Dir+"/"+file, v.Chart.Dir+"/") && chartChoice.Match(text) {
		return "where " + file + " says so"
	}
	return ""
}

// seal tells at each secret value in which of the chosen environments nobody could read it.
func (f *formPage) seal(p *platform.Platform) {
	for _, name := range f.chosen() {
		e := p.Environments[name]
		if f.Team == "" || e == nil || e.Broken || len(e.RecipientsOf(f.Team)) > 0 {
			continue
		}
		for i := range f.Secrets {
			if one := &f.Secrets[i]; one.Mistake == "" {
				one.Mistake = name + " names nobody for whom values of " + f.Team + " are sealed: its operators add them under spec.secrets.recipients in " + e.File
			}
		}
	}
}

// MustSeal says whether a value has to be sealed before the file passes.
func (f *formPage) MustSeal() bool {
	return slices.ContainsFunc(f.Secrets, secretField.Required)
}

// MaySeal says whether a value may have to be sealed, which takes rendering to know.
func (f *formPage) MaySeal() bool {
	return slices.ContainsFunc(f.Secrets, func(one secretField) bool { return one.When != "" && !one.Optional })
}

// Sealing are the commands that seal the values, each environment apart. All of a file are sealed at once, as one MAC covers them.
func (f *formPage) Sealing() (commands []string) {
	var needed, others []string
	for _, one := range f.Secrets {
		if one.Required() {
			needed = append(needed, one.Key)
		} else {
			others = append(others, one.Key)
		}
	}
	for _, environment := range f.chosen() {
		set := func(keys []string) string {
			return "transom secret set " + f.Team + "/" + f.Name + " " + strings.Join(keys, " ") + " -e " + environment
		}
		if len(needed) > 0 {
			commands = append(commands, set(needed))
		}
		if len(others) > 0 {
			commands = append(commands, "# if more are asked for: "+set(slices.Concat(needed, others)))
		}
	}
	return commands
}
