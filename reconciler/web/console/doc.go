// Package console makes the pages on which people look at a platform: the requests that need somebody, the fleet, one request on its way
// through the environments, an environment, a cluster, a change, the catalogue with a form for each offering, the Problems and
// the events.
//
// In come the status that a Board keeps, the platform that was loaded last, and functions that read Git; out comes HTML, made
// on the server. A small script asks for the page again when something changed and puts the new content in its place, so that a
// page works without it, only not by itself. Every view has an address that can be sent.
//
// The package never writes: a form ends in a file that a person commits.
package console
