package render

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A hostFinder finds the names of a version's objects inside text, where they are hosts: in a URL, before a port, before .svc,
// or as the whole value of a flag.
type hostFinder struct {
	serves func(name string) bool // an object of the name may be reached by it
	named  func(name string) bool // there is an object of the name
}

var (
	inCluster = regexp.MustCompile(`^(\.[a-z0-9-]+)?\.svc(\.[a-z0-9.-]+)?\.?$`) // the rest of a host inside a cluster
	portAfter = regexp.MustCompile(`^:[0-9]{1,5}([^A-Za-z0-9_.-]|$)`)
	flag      = regexp.MustCompile(`^--?[A-Za-z][A-Za-z0-9._-]*=$`)
	ofPod     = regexp.MustCompile(`^(.+)-[0-9]+$`) // the host of a StatefulSet's pod
)

// find returns where the names begin and end in text, in order.
func (f hostFinder) find(text string) (names [][2]int) {
	for at := 0; at < len(text); at++ {
		if !inHost(text[at]) {
			continue
		}
		end := at
		for end < len(text) && inHost(text[end]) {
			end++
		}
		names = append(names, f.inRun(text, at, end)...)
		at = end
	}
	return names
}

// inHost reports whether a character may be in a host; one that may not stands before and after it.
func inHost(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// inRun finds the names in text[at:end], which has only characters of hosts and stands alone.
func (f hostFinder) inRun(text string, at, end int) [][2]int {
	if text[at] == '.' && at > 0 && strings.ContainsRune(")}", rune(text[at-1])) {
		at++ // as in $(POD_NAME).db
	}
	run, before, after := text[at:end], text[:at], text[end:]
	name, rest, _ := strings.Cut(run, ".")
	if pod := ofPod.FindStringSubmatch(name); len(pod) > 1 && f.named(pod[1]) {
		service, domain, _ := strings.Cut(rest, ".")
		if f.serves(service) && (domain == "" || isHost(before, "."+domain, true, after)) {
			second := at + len(name) + 1
			return [][2]int{{at, at + len(pod[1])}, {second, second + len(service)}}
		}
	}
	wholeFlag := after == "" && rest == "" && flag.MatchString(before) && f.named(run)
	if wholeFlag || f.serves(name) && isHost(before, run[len(name):], rest != "", after) {
		return [][2]int{{at, at + len(name)}}
	}
	return nil
}

// isHost reports whether a name is a host: by what stands before it, by the domain that follows it, and by what stands after that.
func isHost(before, domain string, qualified bool, after string) bool {
	if qualified {
		return inCluster.MatchString(domain)
	}
	if strings.HasSuffix(before, "://") {
		return true
	}
	if strings.HasSuffix(before, "@") && strings.Contains(lastWord(before), "://") {
		return true
	}
	return portAfter.MatchString(after) && !strings.HasSuffix(before, "/") && !strings.HasSuffix(before, ":")
}

// maxUserinfo bounds how far before a host its URL may begin, so that long text is not read again for each name in it.
const maxUserinfo = 256

func lastWord(text string) string {
	text = text[max(0, len(text)-maxUserinfo):]
	return text[strings.LastIndexAny(text, " \t\n")+1:]
}

// computed says by which CEL text gets the final names. Of text that is long, it is the CEL of each name in it.
func computed(text string, names [][2]int) string {
	if len(text) > 120 || strings.Contains(text, "\n") {
		var each []string
		for _, n := range names {
			if cel := "request.name + " + strconv.Quote("-"+text[n[0]:n[1]]); !slices.Contains(each, cel) {
				each = append(each, cel)
			}
		}
		return ", with " + strings.Join(each, " and ") + " in it"
	}
	var cel []string
	from := 0
	for i, n := range names {
		part := text[from:n[0]]
		if i > 0 {
			part = "-" + part
		}
		if part != "" {
			cel = append(cel, quoted(part)...)
		}
		cel, from = append(cel, "request.name"), n[0]
	}
	return ": " + strings.Join(append(cel, quoted("-"+text[from:])...), " + ")
}

// inNamespace is the host of a Service with a namespace. The objects of a version are in the namespace of the request's team.
var inNamespace = regexp.MustCompile(`^(-[a-z0-9.-]+?\.)[a-z0-9-]+(\.svc([^a-z0-9-].*)?)$`)

// quoted is text as terms of CEL, with the namespace computed where it begins with the rest of a host that has one.
func quoted(text string) []string {
	if m := inNamespace.FindStringSubmatch(text); m != nil {
		return []string{strconv.Quote(m[1]), "namespace", strconv.Quote(m[2])}
	}
	return []string{strconv.Quote(text)}
}
