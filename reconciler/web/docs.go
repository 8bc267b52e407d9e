package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

// A document is one page for people: its name in the address, its title, and its HTML.
type document struct {
	Name, Title string
	Body        template.HTML // made from Markdown, in which HTML is text
}

var documentPage = template.Must(template.New("document").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<link rel="icon" href="/transom.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console.css">
</head>
<body>
<header class="top"><a class="brand" href="/"><img src="/transom.svg" alt="" width="22" height="22"> Transom</a>
<nav aria-label="Pages"><a href="/">Home</a><a href="/fleet">Fleet</a><a href="/catalog">Catalogue</a><a href="/plans">Plans</a><a href="/activity">Activity</a><a href="/problems">Problems</a><a href="/docs/" aria-current="page">Docs</a></nav></header>
<nav class="documents" aria-label="Documents">{{range .All}}<a href="/docs/{{.Name}}"{{if eq .Name $.Name}} aria-current="page"{{end}}>{{.Title}}</a> {{end}}</nav>
<main class="document">
{{.Body}}
</main>
</body>
</html>
`))

// contents are a document, and all that there are.
type contents struct {
	document
	All []document
}

const noDocument = "<h1>There is no such document</h1>\n<p>Those that there are are named above.</p>"

// documents serves every Markdown file of a file system as a page, and the first one at /docs/.
func documents(files fs.FS) (func(http.ResponseWriter, *http.Request) error, error) {
	all, err := readDocuments(files)
	if err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	for i, d := range all {
		var page bytes.Buffer
		if err := documentPage.Execute(&page, contents{d, all}); err != nil {
			return nil, fmt.Errorf("document %s: %w", d.Name, err)
		}
		pages[d.Name] = page.Bytes()
		if i == 0 {
			pages[""] = page.Bytes()
		}
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		page, ok := pages[r.PathValue("page")]
		if !ok && strings.Contains(r.Header.Get("Accept"), "text/html") { // a browser
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusNotFound)
			return documentPage.Execute(w, contents{document{Title: "No such document", Body: noDocument}, all})
		}
		if !ok {
			return refuse(http.StatusNotFound, "there is no such document; /docs/ has those that there are")
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, err := w.Write(page)
		return err
	}, nil
}

// readDocuments are the documents of a file system, by name. The title is the first heading.
func readDocuments(files fs.FS) ([]document, error) {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		return nil, err
	}
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	var all []document
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var body bytes.Buffer
		if err := markdown.Convert(text, &body); err != nil {
			return nil, fmt.Errorf("document %s: %w", name, err)
		}
		html := strings.ReplaceAll(body.String(), "<pre>", `<pre tabindex="0">`) // a wide block is scrolled with the keyboard
		heading, _, _ := strings.Cut(string(text), "\n")
		all = append(all, document{
			Name: strings.TrimSuffix(path.Base(name), ".md"), Title: strings.TrimPrefix(heading, "# "),
			Body: template.HTML(html), //nolint:gosec // goldmark escapes HTML in Markdown, and the files are compiled in
		})
	}
	return all, nil
}
