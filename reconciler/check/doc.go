// Package check asks other parties, HTTP services and Prometheus, about the checks of environments. In come the subjects that
// promotion waits for, out come the last answers about each. Nobody waits for a party: a pass reads the answers that are there, and
// is woken when one is news.
//
// A party is asked only where an operator allowed its host, in the time and up to the bytes that a check may take, and a few
// questions at a time, so that one that hangs delays nobody but those who wait for it. Redirects are not followed, and no address
// of this machine or of a cloud's metadata is asked, whichever name leads there. The package never decides whether a gate is open.
package check
