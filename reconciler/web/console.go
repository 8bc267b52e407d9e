package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed console
var files embed.FS

// console serves the page and its two companions.
func console() func(http.ResponseWriter, *http.Request) error {
	root, err := fs.Sub(files, "console")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	server := http.FileServerFS(root)
	return func(w http.ResponseWriter, r *http.Request) error {
		name := r.URL.Path[1:]
		if name == "" {
			name = "index.html"
		}
		if info, err := fs.Stat(root, name); err != nil || info.IsDir() {
			return refuse(http.StatusNotFound, "nothing at %s; the console is at / and the API below /api/v1/", r.URL.Path)
		}
		server.ServeHTTP(w, r)
		return nil
	}
}
