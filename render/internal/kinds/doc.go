// Package kinds checks rendered objects against the schema that Kubernetes has of its own kinds: which fields there are, of which
// type, and by which of them the entries of a list are told apart, as the API server's server-side apply does. It goes by
// the schema that client-go brings along, and by lists of the words that some fields take.
//
// In goes an object as YAML; out come Faults, each at a path in the object and with a remedy, all at once. The meaning of a
// value to a controller is not looked at: an API server may still refuse an object that passes here, but an object that
// fails here no API server of that version takes.
//
// The package reads no disk, opens no connection and logs nothing.
package kinds
