package state

// Health tells how an object, an instance on a cluster, or the worst object of it does.
type Health string

// The values of Health, best first. The empty Health says nothing, as Unknown does.
const (
	Healthy     Health = "Healthy"
	Suspended   Health = "Suspended" // as it is asked to be, which is not to come to its revision by itself: it proves nothing
	Progressing Health = "Progressing"
	Unknown     Health = "Unknown"
	Failed      Health = "Failed"
)
