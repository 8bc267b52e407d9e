package main

import (
	"embed"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
)

// pages are the documents, one for each kind of reader. "transom help TOPIC" prints one, and the console serves them at /docs.
//
//go:embed docs/*.md
var pages embed.FS

// newTopics returns a command for each page that does nothing but to be helped with.
func newTopics() []*cobra.Command {
	topics := []*cobra.Command{
		{Use: "developer", Short: "Ten minutes for those who request services"},
		{Use: "platform", Short: "For those who write offerings"},
		{Use: "operator", Short: "For those who run the daemon: from nothing to the runbook"},
		{Use: "fields", Short: "Every field of the files of a platform repository"},
		{Use: "metrics", Short: "The daemon's metrics, and the alert rules on them"},
	}
	for _, t := range topics {
		text, err := pages.ReadFile("docs/" + t.Use + ".md")
		must(err)
		t.Long = strings.TrimSpace(string(text))
	}
	return topics
}

// documents are the pages, each a Markdown file.
func documents() fs.FS {
	sub, err := fs.Sub(pages, "docs")
	must(err)
	return sub
}
