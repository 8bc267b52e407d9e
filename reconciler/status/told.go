package status

import (
	"fmt"

	"transom.dev/render/wording"
)

// Told is the value that an object has for an observed output now, or why it has none that may be recorded.
type Told struct {
	Output string `json:"output"`
	Value  any    `json:"value,omitempty"`
	Fault  string `json:"fault,omitempty"`
}

// Unrecorded says, of each observed output whose value is not recorded as its object has it now, what is recorded and what is not.
func (p Placement) Unrecorded() (lines []string) {
	for _, told := range p.Told {
		recorded, has := p.Outputs[told.Output]
		was := wording.Shorten(fmt.Sprint(recorded))
		is := wording.Shorten(fmt.Sprint(told.Value))
		switch {
		case told.Fault != "" && has:
			lines = append(lines, fmt.Sprintf("%s: was %s, and now %s; the recorded value stays", told.Output, was, told.Fault))
		case told.Fault != "":
			lines = append(lines, fmt.Sprintf("%s: has no value yet: %s", told.Output, told.Fault))
		case has && was != is:
			lines = append(lines, fmt.Sprintf("%s: was %s, and now is %s, which is recorded once it has stood for a while", told.Output, was, is))
		case !has:
			lines = append(lines, fmt.Sprintf("%s: is %s, which is recorded once it has stood for a while and all is healthy", told.Output, is))
		}
	}
	return lines
}
