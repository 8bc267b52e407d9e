// Package notify tells people of events: by chat and mail through shoutrrr, and programs by a signed web hook.
//
// In come events of the Board that have a kind, the platform's Notifications, which say who is told of which, and the operator's
// targets, which have the addresses. Out go messages. Nobody waits for it: what a target cannot take in time is dropped and
// counted. It decides nothing, logs nothing, and asks no address that the operator did not write down.
package notify
