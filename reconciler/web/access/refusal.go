package access

import (
	"fmt"
	"net/http"
)

// A Refusal is an error with the status that it becomes. Unauthorized means that the client has to log in.
type Refusal struct {
	Code    int
	message string
}

// Error is the message for the client.
func (r *Refusal) Error() string { return r.message }

func refuse(code int, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// tooMany answers a client that failed too often.
func tooMany() error {
	return refuse(http.StatusTooManyRequests, "too many failed logins from this address: try again in a minute")
}
