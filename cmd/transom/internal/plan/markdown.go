package plan

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// A forge takes comments of 65,536 characters. Counted are bytes, which are never fewer.
const (
	commentLimit = 65_536
	commentHead  = 16_000 // at most, for moves, cautions, Problems and Warnings
	commentSpare = 1_100  // for the lines about cuts and promotion, and for closing open elements
	blockLimit   = 12_000 // of one request, so that one alone does not use up the room of all
)

// Markdown is the plan as one comment of a pull request: the important lines first, and the differences folded. Differences
// that do not fit are omitted, and the comment says so. Files is the address below which the files of the plan are shown, to
// which its Problems lead then; it may be empty. Where there are readers, differences are those of their teams alone.
func (p *Plan) Markdown(files string, readers *Readers) string {
	head, foot := p.markdownHead(files, readers), p.markdownFoot(readers)
	body := &folder{room: commentLimit - commentSpare - len(head) - len(foot)}
	now := p.now()
	for _, b := range folded(readers.blocks(now.Changes)) {
		body.add(b, now.share(b.environment), now.of(b.environment).steps())
	}
	body.close()
	if len(p.Promoted.Changes) > 0 {
		body.text.WriteString("**Once promoted:**\n\n")
	}
	for _, b := range folded(readers.blocks(p.Promoted.Changes)) {
		body.add(b, p.Promoted.share(b.environment), p.Promoted.of(b.environment).steps())
	}
	body.close()
	if len(p.Blocked.Changes) > 0 {
		body.text.WriteString("**Held back:**\n\n")
	}
	for _, b := range folded(readers.blocks(p.Blocked.Changes)) {
		body.add(b, p.Blocked.share(b.environment), p.Blocked.of(b.environment).steps())
	}
	body.close()
	return head + body.text.String() + body.cut() + foot
}

// markdownHead has the moves, decisions, waits, cautions, Problems and Warnings.
func (p *Plan) markdownHead(files string, readers *Readers) string {
	head := &clipped{limit: commentHead}
	head.line("### Transom plan: " + p.counts())
	head.line("")
	for _, line := range p.moves() {
		head.line("- " + quote(line))
	}
	for _, d := range p.Decisions {
		head.line("- " + quote(d.line()))
	}
	for _, line := range p.waiting() {
		head.line("- " + quote(line))
	}
	for _, e := range slices.Concat(p.Environments, p.Promoted.Environments) {
		if e.LetGo {
			head.line("- **" + quote(e.Name) + "** " + environmentLetGo)
		}
		for _, c := range e.Cautions {
			head.line("- **caution:** " + quote(caution(e.Name, c)))
		}
	}
	for _, e := range p.Blocked.Environments {
		for _, c := range e.Cautions {
			head.line("- **caution,** once it is not held any more: " + quote(caution(e.Name, c)))
		}
	}
	head.line("")
	for _, a := range p.Adoptions {
		if readers.see(a.Team) {
			head.block(a.lines())
		}
	}
	if len(p.Problems) > 0 {
		head.line("**Problems**; what they concern keeps what it has:")
		head.problems(p.Problems, files)
	}
	if len(p.Known) > 0 {
		head.line("**Problems that are merged already**")
		head.problems(p.Known, files)
	}
	if len(p.Warnings) > 0 {
		head.line("**Warnings**")
		head.problems(p.Warnings, files)
	}
	return head.text.String()
}

func texts[T fmt.Stringer](all []T) []string {
	lines := make([]string, len(all))
	for i, one := range all {
		lines[i] = one.String()
	}
	return lines
}

// markdownFoot has the baseline, the notes and the digests.
func (p *Plan) markdownFoot(readers *Readers) string {
	foot := &clipped{limit: commentHead / 2}
	foot.line("Compared with " + quote(p.Base) + ".")
	for _, note := range p.Notes {
		foot.line("> " + quote(note))
	}
	if readers != nil {
		foot.line("> " + quote(readers.note()))
	}
	foot.line("")
	for _, e := range p.Environments {
		if e.Digest != "" {
			foot.line("- plan of " + quote(e.Name) + ": `" + e.Digest + "`")
		}
	}
	return foot.text.String()
}

// clipped is text up to a limit.
type clipped struct {
	text    strings.Builder
	limit   int
	dropped int // lines that did not fit
}

// line adds a line, or says once that there would be more.
func (c *clipped) line(text string) {
	const longest = 600
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	if c.dropped > 0 || c.text.Len()+len(text) > c.limit-100 {
		if c.dropped == 0 {
			c.text.WriteString("\n… and more, which `transom plan` shows\n\n")
		}
		c.dropped++
		return
	}
	c.text.WriteString(text + "\n")
}

// block adds lines as they are: quotes of people's files mean nothing in Markdown.
func (c *clipped) block(lines []string) {
	inner := &clipped{limit: c.limit - c.text.Len() - 200}
	for _, line := range lines {
		inner.line(line)
	}
	text := inner.text.String()
	fence := fenceFor(text)
	c.text.WriteString(fence + "\n" + text + fence + "\n\n")
}

// problems adds Problems: as a list that leads to their files where these are shown, else as they are.
func (c *clipped) problems(all []platform.Problem, files string) {
	if files == "" {
		c.block(texts(all))
		return
	}
	for _, p := range all {
		c.line(linked(p, files))
	}
	c.line("")
}

// fenceFor is longer than any run of backquotes in a text.
func fenceFor(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence
}

// folder writes blocks, folded, as far as there is room: in full, else in a line per object, else not at all.
type folder struct {
	text        strings.Builder
	room        int
	environment string
	brief, none int // blocks without their differences, and without anything
}

// add writes a block, in a section of its environment.
func (f *folder) add(b *changeBlock, share string, steps []string) {
	open := ""
	if b.environment != f.environment {
		open = fmt.Sprintf("<details><summary><b>%s</b>%s</summary>\n\n", quote(b.environment), quote(share))
		if len(steps) > 0 {
			open += quote(strings.Join(steps, "; ")) + "\n\n"
		}
		if f.environment != "" {
			open = "</details>\n\n" + open
		}
	}
	full := b.markdown(!b.withheld)
	text := full
	if len(full) > blockLimit || f.text.Len()+len(open)+len(full) > f.room {
		text = b.markdown(false)
		if f.text.Len()+len(open)+len(text) > f.room || len(text) > blockLimit {
			f.none++
			return
		}
		f.brief++
	}
	f.text.WriteString(open + text)
	f.environment = b.environment
}

// close ends the section of an environment.
func (f *folder) close() {
	if f.environment != "" {
		f.text.WriteString("</details>\n\n")
	}
	f.environment = ""
}

// cut names the changes that there was no room for.
func (f *folder) cut() string {
	if f.brief+f.none == 0 {
		return ""
	}
	var parts []string
	if f.brief > 0 {
		parts = append(parts, "the differences of "+terminal.Count(f.brief, "request"))
	}
	if f.none > 0 {
		parts = append(parts, "all about "+terminal.Count(f.none, "request"))
	}
	return "**Cut to fit one comment:** " + strings.Join(parts, ", and ") + ". `transom plan` shows it.\n\n"
}

// markdown is one owner's changes, folded.
func (b *changeBlock) markdown(diffs bool) string {
	var out strings.Builder
	summary := b.owner
	if shared := b.shared(); shared != "" {
		summary += ", " + shared
	}
	fmt.Fprintf(&out, "<details><summary>%s</summary>\n\n", quote(summary))
	for _, g := range b.groups {
		sign, object, clusters := g.summary()
		fmt.Fprintf(&out, "- %s%s\n", code(sign+" "+object), quote(clusters))
		if diffs && g.showsDiff() {
			fence := fenceFor(g.Diff)
			fmt.Fprintf(&out, "\n%sdiff\n%s%s\n\n", fence, g.Diff, fence)
		}
	}
	if len(b.identical) > 0 {
		fmt.Fprintf(&out, "\nThe same for %s.\n", quote(few(b.identical)))
	}
	out.WriteString("\n</details>\n\n")
	return out.String()
}
