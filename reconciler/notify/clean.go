package notify

import (
	"net/url"
	"slices"
	"strings"

	"transom.dev/render/wording"
)

// steering are the characters by which chats find mentions, links and markup, with characters that look alike and do nothing.
// Messages of clusters and Git servers are text of strangers: none of it may wake a whole channel or lead anywhere.
var steering = strings.NewReplacer(
	"@", "＠", "<", "‹", ">", "›", "`", "'", "*", "∗", "[", "(", "]", ")", "|", "¦", "#", "＃", "://", ":⁄⁄", "\n", " ", "\t", " ", "\r", " ",
)

// harmless is text from outside for a chat or a mail: one line, cleaned, without anything that steers a chat.
func harmless(text string) string { return steering.Replace(wording.Clean(text)) }

// plain is text from outside on one line.
func plain(text string) string { return strings.Join(strings.Fields(wording.Clean(text)), " ") }

// shortened is the beginning of a text, in bytes, without a part of a character.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// leastPart is how long a part of an address is that is taken for a secret: shorter ones are words of messages.
const leastPart = 6

// secrets are the parts of a target that no message may have, longest first.
func (t Target) secrets() []string {
	parts := []string{t.URL, t.Webhook, t.Secret}
	for _, text := range []string{t.URL, t.Webhook} {
		at, err := url.Parse(text)
		if err != nil {
			continue
		}
		if at.User != nil {
			password, _ := at.User.Password()
			parts = append(parts, at.User.String(), at.User.Username(), password)
		}
		if t.URL != "" {
			parts = append(parts, at.Host) // services such as Discord's have a token there
		}
		parts = append(parts, strings.Split(at.Path, "/")...)
		parts = append(parts, at.RawQuery)
		for _, values := range at.Query() {
			parts = append(parts, values...)
		}
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) < leastPart })
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return parts
}

func replaceAll(text, secret string) string { return strings.ReplaceAll(text, secret, "…") }
