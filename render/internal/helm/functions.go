package helm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// refused are the functions whose result depends on more than the call.
var refused = map[string]string{
	"the time":    "now ago",
	"chance":      "randAlphaNum randAlpha randAscii randNumeric randBytes randInt shuffle uuidv4 htpasswd bcrypt encryptAES genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey",
	"the network": "getHostByName",
	"the machine": "env expandenv",
	"a cluster":   "lookup",
}

// functions are those that replace functions of Helm: they fail where they would depend on more than the call, and list the
// entries of a map in the order of its keys. Times are in UTC. toYaml and mustToYaml are Helm's own, but faster and with one
// order of keys. Nobody changes the map.
var functions = sync.OnceValue(func() template.FuncMap {
	own := template.FuncMap{"keys": keys, "values": values, "toYaml": toYAML, "mustToYaml": mustToYAML}
	for source, names := range refused {
		for _, name := range strings.Fields(names) {
			own[name] = func(...any) (any, error) {
				return nil, fmt.Errorf("its result depends on %s, and the same release renders the same everywhere and always; %s", source, instead(source))
			}
		}
	}
	maps.Copy(own, times())
	return own
})

func instead(source string) string {
	switch source {
	case "chance":
		return "give the chart a value or the name of a Secret: one annotated transom.dev/generate gets its values in the cluster"
	case "a cluster":
		return "give the chart a value"
	}
	return "give the chart a value instead"
}

// times are the functions that would take the time or the zone of the machine.
func times() template.FuncMap {
	sprigs := sprig.TxtFuncMap()
	inZone, _ := sprigs["dateInZone"].(func(string, any, string) string)
	round, _ := sprigs["durationRound"].(func(any) string)
	date := func(layout string, date any, zone string) (string, error) {
		switch date.(type) {
		case time.Time, *time.Time, int64, int, int32:
			if zone == "Local" {
				return "", errors.New("the zone Local is that of the machine; name one, such as UTC")
			}
			return inZone(layout, date, zone), nil
		}
		return "", fmt.Errorf("%v is no time, so this would be the time of now", date)
	}
	parse := func(layout, text string) (time.Time, error) { return time.ParseInLocation(layout, text, time.UTC) }
	return template.FuncMap{
		"date":           func(layout string, v any) (string, error) { return date(layout, v, "UTC") },
		"htmlDate":       func(v any) (string, error) { return date("2006-01-02", v, "UTC") },
		"dateInZone":     date,
		"date_in_zone":   date,
		"htmlDateInZone": func(v any, zone string) (string, error) { return date("2006-01-02", v, zone) },
		"toDate":         func(layout, text string) time.Time { t, _ := parse(layout, text); return t },
		"mustToDate":     parse,
		"durationRound": func(v any) (string, error) {
			if _, since := v.(time.Time); since {
				return "", fmt.Errorf("the time since %v depends on the time of now", v)
			}
			return round(v), nil
		},
	}
}

func keys(dicts ...map[string]any) []string {
	all := []string{}
	for _, dict := range dicts {
		all = append(all, slices.Sorted(maps.Keys(dict))...)
	}
	return all
}

func values(dict map[string]any) []any {
	all := []any{}
	for _, key := range slices.Sorted(maps.Keys(dict)) {
		all = append(all, dict[key])
	}
	return all
}
