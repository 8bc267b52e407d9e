// Package trigger says that it is time to look again. In come file events, ticks and the answers of servers; out comes at
// most one pending trigger. A trigger carries causes for the log and no payload: whoever is woken reads everything anew, so
// that a lost or doubled event costs nothing. It is the only door to fsnotify.
package trigger
