package check_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/inquiry"
)

// server is a party that answers in one way.
func server(t *testing.T, answer http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	return u
}

// says is an answer with a status, a type and a body.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

var quick = &inquiry.Check{Name: "c", Timeout: 10 * time.Second}

// TestAServiceAnswersWithPass and everything else is no answer, with its reason.
func TestAServiceAnswersWithPass(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		kind, body string
		want       check.Answer
	}{
		"passes":       {200, "application/json", `{"pass": true, "message": "37% of the budget is left"}`, check.Answer{Verdict: promotion.Passes, Message: "37% of the budget is left"}},
		"fails":        {200, "application/json", `{"pass": false, "message": "used\nup"}`, check.Answer{Verdict: promotion.Fails, Message: "used up"}},
		"more fields":  {200, "application/json", `{"pass": true, "left": 0.4}`, check.Answer{Verdict: promotion.Passes, Message: ""}},
		"HTML":         {200, "text/html; charset=utf-8", `<html>sign in</html>`, check.Answer{Verdict: "", Message: `answered text/html, not JSON {"pass": true, "message": "…"}`}},
		"no type":      {200, "", `ok`, check.Answer{Verdict: "", Message: `answered something of no type, not JSON {"pass": true, "message": "…"}`}},
		"no pass":      {200, "application/json", `{"ok": true}`, check.Answer{Verdict: "", Message: `answered JSON without "pass": true or false`}},
		"pass is text": {200, "application/json", `{"pass": "true"}`, check.Answer{Message: `answered JSON whose "pass" is neither true nor false`}},
		"a list":       {200, "application/json", `[true]`, check.Answer{Message: `answered JSON that is no object; it has to be {"pass": true, "message": "…"}`}},
		"empty":        {200, "application/json", ``, check.Answer{Message: `answered something that is called application/json and cannot be read; it has to be {"pass": true, "message": "…"}`}},
		"two values":   {200, "application/json", `{"pass": true} {}`, check.Answer{Message: `answered something that is called application/json and cannot be read; it has to be {"pass": true, "message": "…"}`}},
		"other case":   {200, "application/json", `{"PASS": true}`, check.Answer{Message: `answered JSON with "PASS"; it has to be "pass"`}},
		"both cases":   {200, "application/json", `{"pass": false, "Pass": true}`, check.Answer{Message: `answered JSON with "Pass"; it has to be "pass"`}},
		"twice":        {200, "application/json", `{"pass": false, "pass": true}`, check.Answer{Message: `answered JSON with "pass" twice`}},
		"null":         {200, "application/json", `{"pass": null}`, check.Answer{Message: `answered JSON whose "pass" is neither true nor false`}},
		"no text":      {200, "application/json", `{"pass": true, "message": 4}`, check.Answer{Message: `answered JSON whose "message" is no text`}},
		"unavailable":  {503, "application/json", `{"pass": true}`, check.Answer{Verdict: "", Message: "answered 503 Service Unavailable"}},
		"no content":   {204, "", "", check.Answer{Verdict: "", Message: "answered 204 No Content"}},
		"escapes":      {200, "application/json", `{"pass": false, "message": "\u001b[31mred"}`, check.Answer{Verdict: promotion.Fails, Message: "\uFFFD[31mred"}},
		"long":         {200, "application/json", `{"pass": true, "message": "` + strings.Repeat("a", 5000) + `"}`, check.Answer{Verdict: promotion.Passes, Message: strings.Repeat("a", 300) + "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			party := server(t, says(c.status, c.kind, c.body))
			require.Equal(t, c.want, check.NewClient([]string{party.Host}).Ask(t.Context(), quick, inquiry.Text{URL: party.String()}))
		})
	}
}

// TestPrometheusAnswersWithOneNumber and nothing else is compared.
func TestPrometheusAnswersWithOneNumber(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   check.Answer
	}{
		"vector":        {200, vector("0.004"), check.Answer{Verdict: promotion.Passes, Message: "0.004 is < 0.01"}},
		"too much":      {200, vector("0.25"), check.Answer{Verdict: promotion.Fails, Message: "0.25 is not < 0.01"}},
		"scalar":        {200, `{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}`, check.Answer{Verdict: promotion.Passes, Message: "0 is < 0.01"}},
		"infinite":      {200, vector("+Inf"), check.Answer{Verdict: promotion.Fails, Message: "+Inf is not < 0.01"}},
		"NaN":           {200, vector("NaN"), check.Answer{Verdict: "", Message: "the query's value is NaN, as where nothing is divided by nothing; that is no number to compare"}},
		"empty":         {200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, check.Answer{Verdict: "", Message: "the query finds no series"}},
		"several":       {200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"0"]},{"value":[1,"0"]}]}}`, check.Answer{Verdict: "", Message: "the query finds 2 series; make one of them, such as with sum() or max()"}},
		"matrix":        {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, check.Answer{Verdict: "", Message: "the query results in a matrix, not in one number"}},
		"no number":     {200, vector("many"), check.Answer{Verdict: "", Message: `the query's value "many" is no number`}},
		"bad query":     {400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error"}`, check.Answer{Verdict: "", Message: `Prometheus refuses the query: bad_data: invalid parameter "query": 1:5: parse error`}},
		"other JSON":    {200, `{"pass": true}`, check.Answer{Verdict: "", Message: "answered application/json, which is not how Prometheus answers"}},
		"proxy":         {502, `<html>`, check.Answer{Verdict: "", Message: "answered 502 Bad Gateway"}},
		"login page":    {200, `<html>`, check.Answer{Verdict: "", Message: "answered application/json, which is not how Prometheus answers"}},
		"short value":   {200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}`, check.Answer{Message: `the query's series has no value of the form [time, "value"]`}},
		"short scalar":  {200, `{"status":"success","data":{"resultType":"scalar","result":["0"]}}`, check.Answer{Message: `the query's scalar has no value of the form [time, "value"]`}},
		"bare number":   {200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,0]}]}}`, check.Answer{Message: `the query's series has no value of the form [time, "value"]`}},
		"long value":    {200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"0","9"]}]}}`, check.Answer{Message: `the query's series has no value of the form [time, "value"]`}},
		"series null":   {200, `{"status":"success","data":{"resultType":"vector","result":[null]}}`, check.Answer{Message: `the query's series has no value of the form [time, "value"]`}},
		"histogram":     {200, `{"status":"success","data":{"resultType":"vector","result":[{"histogram":[1,{"count":"0"}],"value":[1,"0"]}]}}`, check.Answer{Message: "the query finds a histogram, not one number; take one of it, such as with histogram_quantile()"}},
		"no list":       {200, `{"status":"success","data":{"resultType":"vector","result":{"value":[1,"0"]}}}`, check.Answer{Message: "the query's vector is no list of series"}},
		"no type":       {200, `{"status":"success","data":{"result":[{"value":[1,"0"]}]}}`, check.Answer{Message: "answered success without a result of any type, which is not how Prometheus answers"}},
		"capitals":      {200, `{"Status":"success","data":{"resultType":"scalar","result":[1,"0"]}}`, check.Answer{Message: "answered application/json, which is not how Prometheus answers"}},
		"status twice":  {200, `{"status":"error","status":"success","data":{"resultType":"scalar","result":[1,"0"]}}`, check.Answer{Message: `answered application/json, which is not how Prometheus answers: "status" is there twice`}},
		"value twice":   {200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"9"],"value":[1,"0"]}]}}`, check.Answer{Message: `answered application/json, which is not how Prometheus answers: "value" is there twice`}},
		"hexadecimal":   {200, vector("0x0p0"), check.Answer{Message: `the query's value "0x0p0" is no number`}},
		"infinity":      {200, vector("-infinity"), check.Answer{Message: `the query's value "-infinity" is no number`}},
		"beyond bounds": {200, vector("-1e999"), check.Answer{Message: `the query's value "-1e999" is no number`}},
		"not 200":       {503, vector("0"), check.Answer{Message: "answered 503 Service Unavailable"}},
		"partial":       {200, strings.Replace(vector("0"), `{"status"`, `{"warnings":["store 10.0.0.1: \u001b[31mtimeout"],"status"`, 1), check.Answer{Message: "Prometheus warns of its answer, which may be of a part of the data only: store 10.0.0.1: \uFFFD[31mtimeout"}},
		"partial, over": {200, strings.Replace(vector("1"), `{"status"`, `{"warnings":["a","b"],"status"`, 1), check.Answer{Message: "Prometheus warns of its answer, which may be of a part of the data only: a"}},
		"odd warnings":  {200, strings.Replace(vector("0"), `{"status"`, `{"warnings":{},"status"`, 1), check.Answer{Message: "Prometheus warns of its answer, which may be of a part of the data only: it does not say why"}},
		"no warnings":   {200, strings.Replace(vector("0"), `{"status"`, `{"warnings":[],"infos":["not a counter"],"status"`, 1), check.Answer{Verdict: promotion.Passes, Message: "0 is < 0.01"}},
		"after it":      {200, vector("0") + "{}", check.Answer{Message: "answered application/json, which is not how Prometheus answers"}},
		"escapes":       {400, `{"status":"error","errorType":"a","error":"\u001b[31mred"}`, check.Answer{Message: "Prometheus refuses the query: a: \uFFFD[31mred"}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked string
			party := server(t, func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Path + " " + r.URL.Query().Get("query")
				says(c.status, "application/json", c.body)(w, r)
			})
			of := &inquiry.Check{Timeout: 10 * time.Second, Prometheus: &inquiry.Prometheus{URL: party.String() + "/prom", Is: inquiry.Comparison{Operator: "<", Number: 0.01}}}
			got := check.NewClient([]string{party.Host}).Ask(t.Context(), of, inquiry.Text{URL: of.Prometheus.URL, Query: `sum(rate(errors{team="a&b"}[5m]))`})
			require.Equal(t, c.want, got)
			require.Equal(t, `/prom/api/v1/query sum(rate(errors{team="a&b"}[5m]))`, asked)
		})
	}
}

func vector(value string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1764412345.1,"` + value + `"]}]}}`
}

// TestAPartyIsBounded in time, in bytes and in where it sends us.
func TestAPartyIsBounded(t *testing.T) {
	t.Run("it hangs", func(t *testing.T) {
		ended := make(chan struct{})
		party := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(ended) })
		of := &inquiry.Check{Timeout: 150 * time.Millisecond}
		require.Equal(t, check.Answer{Message: "nothing came within 150ms"}, check.NewClient([]string{party.Host}).Ask(t.Context(), of, inquiry.Text{URL: party.String()}))
		<-ended
	})
	t.Run("it dribbles", func(t *testing.T) {
		party := server(t, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
			}
		})
		a := check.NewClient([]string{party.Host}).Ask(t.Context(), &inquiry.Check{Timeout: 10 * time.Second}, inquiry.Text{URL: party.String()})
		require.Equal(t, check.Answer{Message: "answered more than 65536 bytes"}, a)
	})
	t.Run("it redirects to a metadata address", func(t *testing.T) {
		party := server(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		})
		a := check.NewClient([]string{party.Host}).Ask(t.Context(), quick, inquiry.Text{URL: party.String()})
		require.Equal(t, check.Answer{Message: "answered 302 Found to http://169.254.169.254/latest/meta-data; redirects are not followed"}, a)
	})
	t.Run("it refuses the connection", func(t *testing.T) {
		s := httptest.NewServer(says(200, "", ""))
		s.Close()
		host := strings.TrimPrefix(s.URL, "http://")
		a := check.NewClient([]string{host}).Ask(t.Context(), quick, inquiry.Text{URL: s.URL})
		require.Contains(t, a.Message, "connection refused")
		require.Empty(t, a.Verdict)
	})
	t.Run("the daemon ends", func(t *testing.T) {
		party := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Empty(t, check.NewClient([]string{party.Host}).Ask(ctx, quick, inquiry.Text{URL: party.String()}).Verdict)
	})
}

// TestOnlyAllowedHostsAreAsked and a name that leads to this machine or to a cloud's metadata is asked nothing, whoever allowed it.
func TestOnlyAllowedHostsAreAsked(t *testing.T) {
	asked := 0
	party := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		says(200, "application/json", `{"pass": true}`)(w, r)
	})
	ask := func(address string, hosts ...string) check.Answer {
		return check.NewClient(hosts).Ask(t.Context(), quick, inquiry.Text{URL: address})
	}
	refused := party.Host + " is none of the hosts that this daemon may ask; an operator allows it with --check-hosts"
	require.Equal(t, refused, ask(party.String()).Message)
	require.Equal(t, refused, ask(party.String(), "127.0.0.1:1", "slo.example.com").Message)
	require.Equal(t, "an operator who allows "+party.Host+" with --check-hosts", ask(party.String()).Opens)
	require.Zero(t, asked)
	require.Equal(t, promotion.Passes, ask(party.String(), party.Hostname()).Verdict)
	byName := ask("http://localhost:"+party.Port(), "LOCALHOST:"+party.Port())
	require.Empty(t, byName.Verdict)
	require.Contains(t, byName.Message, "an address of this machine or of a network's own services; where that is meant, name the address itself")
	require.Equal(t, 1, asked)
}

// TestHostsAreNamesOrAddresses and nothing else is taken for one.
func TestHostsAreNamesOrAddresses(t *testing.T) {
	require.NoError(t, check.CheckHosts([]string{"slo.example.com", "10.0.0.7:9090", "[::1]:80", "::1"}))
	for _, wrong := range []string{"https://slo.example.com", "*.example.com", "", "user@host", "a b"} {
		require.ErrorContains(t, check.CheckHosts([]string{wrong}), "is no host: give a name or an address", wrong)
	}
	for _, here := range []string{"localhost", "LOCALHOST:9090"} {
		require.ErrorContains(t, check.CheckHosts([]string{"slo.example.com", here}), "is a name of this machine, and no name leads there: give the address", here)
	}
}
