package status

// ForgeTold says that a part of the facts that a forge is told, such as the commit statuses, was told, or why it was not.
func (b *Board) ForgeTold(part string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, known := b.platform.Forge[part]
	why := ""
	if err != nil {
		why = err.Error()
	}
	if known && before == why {
		return
	}
	all := map[string]string{part: why} // a new one, as a Status that was read has the one of before
	for other, why := range b.platform.Forge {
		if other != part {
			all[other] = why
		}
	}
	b.platform.Forge = all
	switch {
	case why != "" && before == "":
		b.record(Event{Level: Warning, Message: "the forge is not told (" + part + "): " + why})
	case why == "" && before != "":
		b.record(Event{Level: Warning, Message: "the forge is told again (" + part + ")"})
	}
	b.notify() // another reason is no event, and a change all the same
}
