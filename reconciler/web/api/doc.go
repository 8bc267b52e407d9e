// Package api has the resources of the HTTP API as plain data.
//
// In comes a status, with the platform that was loaded; out come lists, each sorted and with an ID by which a
// client asks for the page behind it. It contacts nothing, changes nothing and reads no clock.
package api
