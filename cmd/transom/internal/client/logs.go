package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"transom.dev/reconciler/web/api"
)

// A Log is the part of the logs of a placement that is asked for.
type Log struct {
	Pod, Container   string
	Tail             int // so many of the latest lines of each container; 0: as many as the daemon gives
	Follow, Previous bool
}

// Logs asks for the logs of a placement, and hands on each line as it comes.
func (c Client) Logs(ctx context.Context, about Selection, l Log, line func(api.Line) error) error {
	q := url.Values{}
	for name, value := range map[string]string{"cluster": about.Cluster, "pod": l.Pod, "container": l.Container} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if l.Tail > 0 {
		q.Set("tail", strconv.Itoa(l.Tail))
	}
	for name, value := range map[string]bool{"follow": l.Follow, "previous": l.Previous} {
		if value {
			q.Set(name, "true")
		}
	}
	if !l.Follow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 2*patience)
		defer cancel()
	}
	resp, err := c.send(ctx, http.MethodGet, about.instance("logs"), q.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := json.NewDecoder(resp.Body); ; {
		var one api.Line
		if err := lines.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the logs: %w", err)
		}
		if err := line(one); err != nil {
			return err
		}
	}
}

// Happenings asks for the Kubernetes Events about a placement, the latest first.
func (c Client) Happenings(ctx context.Context, about Selection) (all []api.Happening, err error) {
	return all, c.get(ctx, about.instance("events"), Selection{Cluster: about.Cluster}, &all)
}

// Compare asks for the differences between the manifests of a placement and something else.
func (c Client) Compare(ctx context.Context, about Selection, with string) (found api.Comparison, err error) {
	return found, c.get(ctx, about.instance("diff"), Selection{Cluster: about.Cluster, With: with}, &found)
}

// instance is the path of something about an instance.
func (s Selection) instance(about string) string {
	return "/api/v1/instances/" + url.PathEscape(s.Environment) + "/" + url.PathEscape(s.Team) + "/" + url.PathEscape(s.Request) + "/" + about
}
