package credential

import (
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// maxAnswer bounds an answer to a request that is made here.
const maxAnswer = 32 << 20

// Bound is a configuration whose answers are cut where they are too long, and then cannot be decoded. A redirect is an error.
func Bound(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.UserAgent, config.Timeout = "transom", requestLimit
	config.ContentType = runtime.ContentTypeJSON
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return boundTransport{NoRedirects(next)} })
	return config
}

type boundTransport struct{ http.RoundTripper }

// RoundTrip is part of http.RoundTripper.
func (t boundTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}
