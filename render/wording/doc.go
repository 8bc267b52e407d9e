// Package wording makes text for people of text from outside: cleaned of characters that a terminal must not see, shortened,
// and with the name that was probably meant. In come names and values of files, out come the ends of messages.
package wording
