package apply

import (
	"encoding/hex"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"
)

// identity is the UID of an object as its number, in a third of the memory of the text: there are a hundred thousand objects where there are
// very many clusters. Equal ones are of equal UIDs.
type identity struct {
	number [16]byte
	other  unique.Handle[string] // the text of one that is not written as API servers write UIDs
}

func identityOf(uid types.UID) (id identity) {
	var digits [32]byte
	if n := digitsOf(string(uid), &digits); n == len(digits) {
		if _, err := hex.Decode(id.number[:], digits[:]); err == nil && id.UID() == uid {
			return id
		}
	}
	if uid == "" {
		return identity{}
	}
	return identity{other: unique.Make(string(uid))}
}

// digitsOf copies the characters of a UID that are no hyphens, and counts them.
func digitsOf(uid string, to *[32]byte) (n int) {
	for _, c := range []byte(uid) {
		if c == '-' {
			continue
		}
		if n == len(to) {
			return n + 1
		}
		to[n] = c
		n++
	}
	return n
}

// UID is the text that the identity is of.
func (id identity) UID() types.UID {
	if id.other != (unique.Handle[string]{}) {
		return types.UID(id.other.Value())
	}
	if id == (identity{}) {
		return ""
	}
	var text [36]byte
	at := 0
	for i, part := range [][]byte{id.number[:4], id.number[4:6], id.number[6:8], id.number[8:10], id.number[10:]} {
		if i > 0 {
			text[at] = '-'
			at++
		}
		at += hex.Encode(text[at:], part)
	}
	return types.UID(text[:])
}

// serverTime is a time by the API server's clock: nanoseconds since 1970, and 0 for none.
type serverTime int64

func serverTimeOf(t time.Time) serverTime {
	if t.IsZero() {
		return 0
	}
	return serverTime(t.UnixNano())
}

func (t serverTime) time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(t))
}

// ownTime is a time by our own clock, which nobody sets: nanoseconds since the process began, and 0 for none.
type ownTime int64

var began = time.Now()

func ownTimeOf(t time.Time) ownTime {
	if t.IsZero() {
		return 0
	}
	return ownTime(t.Sub(began))
}

func (t ownTime) time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return began.Add(time.Duration(t))
}
