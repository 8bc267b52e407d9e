package status

// Anew is the Status of a Board that nobody read before.
func (b *Board) Anew() Status {
	b.mu.Lock()
	b.readers.status, b.readers.sorted, b.readers.order, b.readers.unheard = nil, nil, nil, nil
	for _, in := range b.instances {
		in.changed()
	}
	b.mu.Unlock()
	return b.Status()
}
