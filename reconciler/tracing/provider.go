package tracing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"transom.dev/render/wording"
)

// closeTime bounds how long the last spans are waited for when the daemon ends.
const closeTime = 2 * time.Second

// Asked says whether the environment names a collector, by OpenTelemetry's own variables.
func Asked() bool {
	named := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	return named != "" && !strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// Open makes a Tracer for the collector that the environment names. The function failed is called with each error of sending, which is
// fit to be shown; it must not block.
func Open(ctx context.Context, version string, failed func(error)) (*Tracer, error) {
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(variable); protocol != "" && protocol != "http/protobuf" {
			return nil, fmt.Errorf("%s is %.40q: only http/protobuf is spoken, which collectors take on port 4318; set it, and the endpoint of that port", variable, protocol)
		}
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithProxy(notRedirected))
	if err != nil {
		return nil, fmt.Errorf("read the variables OTEL_EXPORTER_OTLP_…: %w", err)
	}
	from, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "transom"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err), exporter.Shutdown(ctx))
	}
	told := func(err error) { failed(errors.New(shown(err))) }
	otel.SetErrorHandler(otel.ErrorHandlerFunc(told))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(from), sdk.WithIDGenerator(ids{}))
	return &Tracer{failed: told, provider: provider, spans: provider.Tracer("transom.dev"), open: map[string][]*way{}}, nil
}

// mostShown is how many characters of an error are shown, which may have a whole answer of the collector.
const mostShown = 300

func shown(err error) string {
	text := []rune(wording.CleanLine(err.Error()))
	if len(text) > mostShown {
		text = append(text[:mostShown], '…')
	}
	return string(text)
}

// notRedirected is the proxy of a request, and refuses those that a redirect asks for: the headers that the operator set may have
// credentials, and are for the collector alone.
func notRedirected(r *http.Request) (*url.URL, error) {
	if r.Response != nil {
		return nil, errors.New("the collector redirects, which is not followed: name the address that it leads to")
	}
	return http.ProxyFromEnvironment(r)
}

// ids gives a trace the id that the context says.
type ids struct{}

type traceKey struct{}

// NewIDs is part of sdk.IDGenerator.
func (i ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, ok := ctx.Value(traceKey{}).(trace.TraceID)
	if !ok {
		_, _ = rand.Read(id[:]) // it never fails
	}
	return id, i.NewSpanID(ctx, id)
}

// NewSpanID is part of sdk.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	_, _ = rand.Read(id[:])
	return id
}
