package render_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render"
	"transom.dev/render/platform"
)

var update = flag.Bool("update", false, "rewrite the want/ files of testdata")

// TestRenderGolden renders each archive of testdata/golden. Its files are put over those of testdata/common.txtar (an
// empty one removes) and are a platform then; those below before/ are the files it had before, whose state is the base.
// Below want/ are the files that change, per environment, with the removed ones in want/ENVIRONMENT/removed and every
// Problem in want/problems; the files in which loading found mistakes are in want/broken.
func TestRenderGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	now, before, want, input := split(archive)

	bases := map[string]*render.Base{}
	if before != nil {
		p := load(t, before)
		for _, environment := range slices.Sorted(maps.Keys(p.Environments)) {
			files := commit(fstest.MapFS{}, renderAll(t, p, environment, nil).Changes)
			base, err := render.ReadBase(files)
			require.NoError(t, err)
			bases[environment] = base
		}
	}
	got := map[string]string{}
	p := load(t, now)
	if files := brokenFiles(p.Problems); len(files) > 0 {
		got["want/broken"] = strings.Join(files, "\n") + "\n"
	}
	var problems []string
	for _, environment := range slices.Sorted(maps.Keys(p.Environments)) {
		state := renderAll(t, p, environment, bases[environment])
		problems = append(problems, problemsOf(state.Problems)...)
		record(got, environment, state)
	}
	if len(problems) > 0 {
		got["want/problems"] = strings.Join(problems, "\n") + "\n"
	}
	if *update {
		rewrite(t, file, archive.Comment, input, got)
		return
	}
	require.Equal(t, want, got)
}

func split(a *txtar.Archive) (now, before fstest.MapFS, want map[string]string, input []txtar.File) {
	now, want = common(), map[string]string{}
	earlier := map[string][]byte{}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "want/") {
			want[f.Name] = string(f.Data)
			continue
		}
		input = append(input, f)
		if name, ok := strings.CutPrefix(f.Name, "before/"); ok {
			earlier[name] = f.Data
			continue
		}
		put(now, f.Name, f.Data)
	}
	if len(earlier) == 0 {
		return now, nil, want, input
	}
	before = maps.Clone(now)
	for name, data := range earlier {
		put(before, name, data)
	}
	return now, before, want, input
}

// common is the platform that every archive is put over.
func common() fstest.MapFS {
	archive, err := txtar.ParseFile("testdata/common.txtar")
	if err != nil {
		panic(err)
	}
	files := fstest.MapFS{}
	for _, f := range archive.Files {
		put(files, f.Name, f.Data)
	}
	return files
}

func put(files fstest.MapFS, name string, data []byte) {
	delete(files, name)
	if len(data) > 0 {
		files[name] = &fstest.MapFile{Data: data}
	}
}

func load(t testing.TB, fsys fs.FS) *platform.Platform {
	t.Helper()
	p, err := platform.Load(fsys)
	require.NoError(t, err)
	p.Commit = "c0ffee"
	return p
}

func renderAll(t testing.TB, p *platform.Platform, environment string, base *render.Base) *render.State {
	t.Helper()
	var r render.Renderer
	state, err := r.Render(p, environment, base)
	require.NoError(t, err)
	return state
}

// commit applies changes to a state's files.
func commit(files fstest.MapFS, changes map[string][]byte) fstest.MapFS {
	after := fstest.MapFS{}
	maps.Copy(after, files)
	for name, content := range changes {
		delete(after, name)
		if content != nil {
			after[name] = &fstest.MapFile{Data: content}
		}
	}
	return after
}

func record(got map[string]string, environment string, state *render.State) {
	var removed []string
	for name, content := range state.Changes {
		if content == nil {
			removed = append(removed, name+"\n")
			continue
		}
		got["want/"+environment+"/"+name] = string(content)
	}
	if len(removed) > 0 {
		slices.Sort(removed)
		got["want/"+environment+"/removed"] = strings.Join(removed, "")
	}
}

func brokenFiles(problems []platform.Problem) []string {
	var files []string
	for _, p := range problems {
		if !p.Warning {
			files = append(files, p.File)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func problemsOf(problems []platform.Problem) []string {
	var lines []string
	for _, p := range problems {
		where := p.Environment
		if p.Request != nil {
			where += " " + p.Request.String()
		}
		if where = strings.TrimSpace(where); where != "" {
			where = "[" + where + "] "
		}
		lines = append(lines, where+p.String())
	}
	return lines
}

func rewrite(t *testing.T, file string, comment []byte, input []txtar.File, got map[string]string) {
	out := &txtar.Archive{Comment: comment, Files: input}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(got[name])})
	}
	require.NoError(t, os.WriteFile(file, txtar.Format(out), 0o644), fmt.Sprint(file))
}
