package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// A Call is everything besides the chart's own files that the result depends on.
type Call struct {
	Release     string         `json:"release"`
	Namespace   string         `json:"namespace"`
	Kubernetes  string         `json:"kubernetes"`  // such as 1.33
	APIVersions []string       `json:"apiVersions"` // GROUP/VERSION and GROUP/VERSION/KIND
	Values      map[string]any `json:"values"`
	Hooks       Hooks          `json:"hooks"`
}

// Encode returns the call as bytes; the same call has the same ones.
func (c Call) Encode() ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the values of the chart: %w", err)
	}
	return text, nil
}

func decodeCall(text []byte) (c Call, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("decode the values of the chart: %w", err)
	}
	c.Values, _ = plain(c.Values).(map[string]any)
	return c, nil
}

// plain makes int64 and float64 of the numbers of JSON. An integer stays one, so that a template prints all of its digits.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	case []any:
		for n := range v {
			v[n] = plain(v[n])
		}
	}
	return value
}

// manifests returns the objects of the texts that a chart printed, and its definitions, by their file inside the chart.
func manifests(c *chart.Chart, hooks Hooks, printed map[string]string) (result map[string]string, err error) {
	result = map[string]string{}
	for name, text := range printed {
		name = strings.TrimPrefix(name, c.Name()+"/")
		if text, err = hooks.objects(name, text); err != nil {
			return nil, err
		}
		if text != "" {
			result[name] = text
		}
	}
	maps.Copy(result, definitions(c))
	return result, nil
}

// definitions returns the files of the crds directories of a chart and its dependencies. A dependency with two aliases is there twice,
// and Helm skips a definition that the cluster has, so the same file is one.
func definitions(c *chart.Chart) map[string]string {
	found, printed := map[string]string{}, map[string]bool{}
	for _, crd := range c.CRDObjects() {
		text := string(crd.File.Data)
		if !blank(text) && !printed[text] {
			found[strings.TrimPrefix(crd.Filename, c.Name()+"/")], printed[text] = text, true
		}
	}
	return found
}

// chartFile is the file that a mistake of the whole chart stands in.
const chartFile = "Chart.yaml"

// load reads a chart and everything in its charts directory, and refuses a chart that cannot be installed by itself.
func load(files map[string][]byte) (*chart.Chart, schemas, error) {
	buffered, err := directory(files)
	if err != nil {
		return nil, nil, err
	}
	loaded, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", chartFile, err)
	}
	switch loaded.Metadata.APIVersion {
	case chart.APIVersionV1, chart.APIVersionV2:
	default:
		return nil, nil, fmt.Errorf("%s: apiVersion is %q; a chart of Helm has v1 or v2", chartFile, loaded.Metadata.APIVersion)
	}
	if loaded.Metadata.Type == "library" {
		return nil, nil, fmt.Errorf("%s: type is library, and a library renders nothing; vendor a chart of type application that depends on it", chartFile)
	}
	found := schemas{}
	return loaded, found, vendored(loaded, found)
}

// vendored reports a dependency that is not in the chart's charts directory, brings the dependencies into one order, leaves out
// the notes for people, which nobody would see, and adds the schemas.
func vendored(c *chart.Chart, found schemas) error {
	if err := found.add(c.Schema); err != nil {
		return err
	}
	c.Templates = slices.DeleteFunc(c.Templates, func(f *common.File) bool { return path.Base(f.Name) == "NOTES.txt" })
	has := map[string]bool{}
	for _, dependency := range c.Dependencies() {
		has[dependency.Name()] = true
		if err := vendored(dependency, found); err != nil {
			return err
		}
	}
	for _, wanted := range c.Metadata.Dependencies {
		if wanted != nil && !has[wanted.Name] {
			return fmt.Errorf("%s: %s depends on the chart %s, which is not in its directory charts; "+
				"nothing is downloaded, so run helm dependency build and commit its files", chartFile, c.Name(), wanted.Name)
		}
	}
	sorted := slices.SortedStableFunc(slices.Values(c.Dependencies()), func(a, b *chart.Chart) int { return strings.Compare(a.Name(), b.Name()) })
	c.SetDependencies(sorted...)
	return nil
}

// renderValues returns the data that a chart's templates are executed with, and leaves out the dependencies that the values disable. It
// changes the chart.
func (k *keptChart) renderValues(c *chart.Chart, call Call) (common.Values, error) {
	capabilities, err := k.capabilitiesOf(call)
	if err != nil {
		return nil, err
	}
	if call.Values == nil {
		call.Values = map[string]any{}
	}
	if err := chartutil.ProcessDependencies(c, call.Values); err != nil {
		return nil, fmt.Errorf("%s: %w", chartFile, err)
	}
	values, err := util.CoalesceValues(c, call.Values)
	if err == nil && !k.schemas.fit(c, values) {
		err = util.ValidateAgainstSchema(c, values)
	}
	if err != nil {
		return nil, schemaFailure(err)
	}
	return common.Values{"Values": values, "Capabilities": capabilities, "Release": map[string]any{
		"Name": call.Release, "Namespace": call.Namespace, "Revision": 1, "IsInstall": true, "IsUpgrade": false, "Service": "Helm",
	}}, nil
}

// execute runs the templates of a chart, and returns their texts by the full name of each.
func execute(c *chart.Chart, values common.Values) (map[string]string, error) {
	printed, err := engine.Engine{CustomTemplateFuncs: functions()}.RenderWithContext(context.Background(), c, values)
	if err != nil {
		return nil, failure(c.Name(), err)
	}
	return printed, nil
}

// capabilitiesOf returns what templates are told of the cluster of a call, which has to be one for the chart.
func (k *keptChart) capabilitiesOf(call Call) (*common.Capabilities, error) {
	if k.cluster == nil || k.version != call.Kubernetes {
		version, err := common.ParseKubeVersion(call.Kubernetes + ".0")
		if err != nil {
			return nil, fmt.Errorf("read the Kubernetes version %q: %w", call.Kubernetes, err)
		}
		if wants := k.chart.Metadata.KubeVersion; wants != "" && !chartutil.IsCompatibleRange(wants, version.String()) {
			return nil, fmt.Errorf("%s: the chart needs Kubernetes %s, and the environment has %s", chartFile, wants, call.Kubernetes)
		}
		k.cluster, k.version = common.DefaultCapabilities.Copy(), call.Kubernetes
		k.cluster.KubeVersion = *version
		k.cluster.HelmVersion.GitCommit, k.cluster.HelmVersion.GitTreeState, k.cluster.HelmVersion.GoVersion = "", "", ""
	}
	capabilities := *k.cluster
	capabilities.APIVersions = call.APIVersions
	return &capabilities, nil
}

// documents splits a manifest where a line says so, and leaves out documents without any content.
func documents(text string) (found []string) {
	for _, document := range strings.Split("\n"+text, "\n---") {
		// The rest of the separator's own line may be a comment, or the beginning of the document.
		if !blank(document) {
			found = append(found, strings.TrimLeft(document, "\n"))
		}
	}
	return found
}

// blank reports whether a text has nothing but comments.
func blank(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "---") {
			return false
		}
	}
	return true
}
