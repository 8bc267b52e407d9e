package gitrepo

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Limits bound how much a Git server may answer. They are checked before anything of the answer is parsed or kept, so that
// a server that is broken, or somebody else's, costs its own Remote an error and nothing more. A field that is 0 has its default.
type Limits struct {
	PackBytes   int64 // of one pack as it arrives: 2Gi
	PackObjects int   // in one pack: 2,000,000; reading one takes some 300 bytes of memory each
	ObjectBytes int64 // of one object of a pack, unpacked: 64Mi
	AnswerBytes int64 // of any other answer, such as the list of branches: 32Mi
}

// DefaultLimits are those of a Remote that says nothing else.
var DefaultLimits = Limits{PackBytes: 2 << 30, PackObjects: 2_000_000, ObjectBytes: 64 << 20, AnswerBytes: 32 << 20}

func (l Limits) orDefault() Limits {
	return Limits{
		PackBytes:   cmp.Or(l.PackBytes, DefaultLimits.PackBytes),
		PackObjects: cmp.Or(l.PackObjects, DefaultLimits.PackObjects),
		ObjectBytes: cmp.Or(l.ObjectBytes, DefaultLimits.ObjectBytes),
		AnswerBytes: cmp.Or(l.AnswerBytes, DefaultLimits.AnswerBytes),
	}
}

// packAnswerBytes is how long an answer with a pack may be: beside the pack it has frames, and signs of life.
func (l Limits) packAnswerBytes() int64 { return l.PackBytes + l.PackBytes/8 + 1<<20 }

// unpackedBytes is how much a pack may unpack to. It bounds the time that reading it takes.
func (l Limits) unpackedBytes() int64 { return 32 * l.PackBytes }

// sizeText is a number of bytes as flags take it.
func sizeText(n int64) string { return resource.NewQuantity(n, resource.BinarySI).String() }

// countText is a number with its thousands apart.
func countText(n int64) string {
	digits := fmt.Sprint(n)
	var parts []string
	for ; len(digits) > 3; digits = digits[:len(digits)-3] {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}

// An excessError says which part of an answer is over its limit, and which flag of the daemon sets the limit.
type excessError struct{ what, limit, flag string }

func (e *excessError) Error() string {
	return fmt.Sprintf("%s; at most %s: is this the right server? If it is, raise %s", e.what, e.limit, e.flag)
}

// A bounded reader fails once the bytes that may be read are used up. The owner of the conversation sets their number anew
// for each answer.
type bounded struct {
	io.Reader
	remaining int64
	excess    *excessError
}

// allow sets how much may be read from here on.
func (b *bounded) allow(n int64, excess *excessError) { b.remaining, b.excess = n, excess }

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.remaining < 0 || len(p) == 0 {
		return 0, b.excess
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.remaining+1)]) // one more tells an answer of just that length from a longer one
	if b.remaining -= int64(n); b.remaining < 0 {
		return n - 1, b.excess
	}
	return n, err
}

// tooMuchUnpacked is the error of a pack of which more would have to be made than unpackedBytes.
func (l Limits) tooMuchUnpacked() *excessError {
	return &excessError{"the pack unpacks to over 32 times that", sizeText(l.PackBytes), "--git-pack-bytes"}
}

// tooMuch is the error of an answer that is not a pack.
func (l Limits) tooMuch() *excessError {
	return &excessError{"the answer does not end", sizeText(l.AnswerBytes), "--git-answer-bytes"}
}

// tooMuchPack is the error of an answer with a pack.
func (l Limits) tooMuchPack() *excessError {
	return &excessError{"the pack does not end", sizeText(l.PackBytes), "--git-pack-bytes"}
}
