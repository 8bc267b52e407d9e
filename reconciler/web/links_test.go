package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
)

var linked = regexp.MustCompile(`(?:href|action|data-tree|data-follow)="(/[^"]*)"`)

// TestEveryLinkLeadsSomewhere: each link of each page that can be reached from Home, at rest and while much happens, is answered, and a
// link to a part of a page finds it.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	calm, moving := busy(t), promoting()
	moving.Loaded("https://git.example.com/platform.git", calm.Board.Status().Platform.Offers())
	var lost []string
	amiss := calm
	amiss.Board = moving
	for name, o := range map[string]web.Options{"at rest": calm, "amiss": amiss} {
		o.Docs = os.DirFS("../../cmd/transom/docs")
		h := web.Handler(o)
		from := map[string]string{"/": "Home"}
		for todo := []string{"/"}; len(todo) > 0; todo = todo[1:] {
			address, part, _ := strings.Cut(todo[0], "#")
			if strings.Contains(address, "follow=true") || address == "/changes/c2" || address == "/catalog/redis" {
				continue // a log that is followed has no end; the boards' commit is made up, and an offering was withdrawn, as its page says
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+address, http.NoBody)
			r.Header.Set("Accept", "text/html")
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			if answer.Code != http.StatusOK || part != "" && !strings.Contains(answer.Body.String(), `id="`+part+`"`) {
				lost = append(lost, fmt.Sprintf("%s: %d: %s, linked from %s", name, answer.Code, todo[0], from[todo[0]]))
			}
			if !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
				continue
			}
			for _, found := range linked.FindAllStringSubmatch(answer.Body.String(), -1) {
				link := html.UnescapeString(found[1])
				if strings.HasPrefix(address, "/activity") && !strings.HasPrefix(link, "/activity") {
					continue // its commits are made up, too
				}
				if _, known := from[link]; !known {
					from[link], todo = todo[0], append(todo, link)
				}
			}
		}
		require.Greater(t, len(from), 40, "%s: pages are found", name)
	}
	require.Empty(t, lost)
}
