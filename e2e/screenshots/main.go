// Command screenshots takes a picture of every kind of page of a console that runs, as a telephone and as a desk have it, in light and
// in dark. It begins at Home and follows links; of the pages of one kind it takes the first. It prints the pages that are wider than
// their screen. It changes nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

var (
	widths  = []int64{400, 1280}
	schemes = map[string]string{"dark": "preferredColorScheme=0", "light": "preferredColorScheme=1"}
)

// mostPages is how many kinds of pages are looked for at most: links that go on for ever end there.
const mostPages = 40

// mostAlike is of how many pages of one kind the links are followed: others may have a link that the first does not have.
const mostAlike = 6

func main() {
	from := flag.String("url", "http://127.0.0.1:8080", "address of the console")
	dir := flag.String("dir", "bin/screenshots", "directory for the pictures")
	flag.Parse()
	if err := run(context.Background(), *from, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for scheme, setting := range schemes {
		if err := shootAll(ctx, from, dir, scheme, setting); err != nil {
			return err
		}
	}
	return nil
}

// shootAll takes the pictures of one scheme.
func shootAll(ctx context.Context, from, dir, scheme, setting string) error {
	tab, end := newTab(ctx, setting)
	defer end()
	pages, err := follow(tab, from)
	if err != nil {
		return fmt.Errorf("follow the links of %s: %w; \"make demo\" starts a console to look at", from, err)
	}
	for _, width := range widths {
		for _, page := range pages {
			file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", kind(page), width, scheme))
			if err := shoot(tab, from+page, width, file); err != nil {
				return fmt.Errorf("take a picture of %s: %w", page, err)
			}
		}
	}
	fmt.Printf("%d pages in %s: see %s\n", len(pages), scheme, dir)
	return nil
}

func newTab(ctx context.Context, setting string) (tab context.Context, end func()) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute), chromedp.Flag("blink-settings", setting))
	allocator, endAllocator := chromedp.NewExecAllocator(ctx, options...)
	tab, endTab := chromedp.NewContext(allocator)
	return tab, func() { endTab(); endAllocator() }
}

// follow lists a page of each kind, the nearest to Home first.
func follow(tab context.Context, from string) ([]string, error) {
	if _, err := chromedp.Run(tab, chromedp.EmulateViewport(widths[0], 900)); err != nil { // the browser ends with the context that starts it
		return nil, err
	}
	pages, waiting := []string{"/", "/nowhere"}, []string{"/", "/nowhere"}
	known, alike := map[string]bool{"/": true}, map[string]int{kind("/"): 1}
	for ; len(waiting) > 0 && len(pages) < mostPages; waiting = waiting[1:] {
		if err := visit(tab, from+waiting[0]); err != nil {
			return nil, err
		}
		links, err := chromedp.Run(tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll("a[href^='/']")].map((a) => a.getAttribute("href"))`))
		if err != nil {
			return nil, err
		}
		for _, link := range links {
			k := kind(link)
			if known[link] || alike[k] == mostAlike {
				continue
			}
			known[link], waiting = true, append(waiting, link)
			if alike[k]++; alike[k] == 1 {
				pages = append(pages, link)
			}
		}
	}
	return pages, nil
}

// visit opens a page, and says so where that takes longer than a person would wait.
func visit(tab context.Context, address string) error {
	ctx, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Navigate(address)); err != nil {
		return fmt.Errorf("open %s: %w", address, err)
	}
	return nil
}

// kind is the name of a page's kind: its path without the names of things.
func kind(link string) string {
	at, err := url.Parse(link)
	if err != nil {
		return "wrong"
	}
	parts := strings.Split(strings.Trim(at.Path, "/"), "/")
	things := map[string]int{"requests": 2, "environments": 1, "clusters": 1, "changes": 1, "catalog": 1, "docs": 1}[parts[0]]
	name := strings.Join(slices.Concat(parts[:1], parts[min(1+things, len(parts)):]), "-")
	switch {
	case name == "":
		return "home"
	case name == "catalog" && len(parts) > 1:
		return "offering"
	}
	return name
}

// shoot writes a picture of a whole page.
func shoot(tab context.Context, address string, width int64, file string) error {
	if _, err := chromedp.Run(tab, chromedp.EmulateViewport(width, 900)); err != nil {
		return err
	}
	if err := visit(tab, address); err != nil {
		return err
	}
	wide, err := chromedp.Run(tab, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	if err != nil {
		return err
	}
	if wide > width {
		fmt.Printf("%s is %d pixels wide at %d\n", address, wide, width)
	}
	picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		return err
	}
	return os.WriteFile(file, picture, 0o644)
}
