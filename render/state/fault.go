package state

// The beginnings of messages about an object on a cluster, by which a reader knows the next step of a person.
const (
	Refused  = "the API server refused it: "
	Unopened = "its values cannot be opened: " // of a Secret with sealed ones
)
