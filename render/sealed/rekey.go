package sealed

import (
	"slices"

	"transom.dev/render/strictyaml"
)

// Rekey seals the file of a subject for these recipients instead of those that it has. Its values and MAC stay as they are, and so does the
// key that they are sealed with: whoever had a value has it still. The file has to be in order, and the keys have to open it.
func (k *Keys) Rekey(data []byte, s Subject, recipients []string) ([]byte, []strictyaml.Problem, error) {
	f, problems := ReadForAnyone(data, s)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	o, err := k.open(data, s)
	if err != nil {
		return nil, nil, err
	}
	f.Recipients, f.block.wrapped = slices.Clone(recipients), nil
	for _, recipient := range recipients {
		wrapped, err := wrap(o.key, recipient)
		if err != nil {
			return nil, nil, err
		}
		f.block.wrapped = append(f.block.wrapped, wrapped)
	}
	return f.encode(s), nil, nil
}
