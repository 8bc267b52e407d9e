package gitrepo_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// A packed is an object as a pack has it, whatever its header says.
type packed struct {
	kind     int // 1 commit, 2 tree, 3 blob, 6 a delta of an object by its place, 7 one by its id
	size     int // as the header says
	content  []byte
	of       int             // the base object of a delta by place is the first, the second…
	distance int             // or it is said to be so many bytes before
	base     [sha1.Size]byte // of a delta by id
}

// packOf writes a pack whose header says count.
func packOf(t testing.TB, count uint32, objects ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("PACK")
	_ = binary.Write(&b, binary.BigEndian, uint32(2))
	_ = binary.Write(&b, binary.BigEndian, count)
	offsets := make([]int, 0, len(objects))
	for _, o := range objects {
		offsets = append(offsets, b.Len())
		first, rest := byte(o.kind<<4|o.size&15), o.size>>4
		for rest > 0 {
			b.WriteByte(first | 0x80)
			first, rest = byte(rest&0x7f), rest>>7
		}
		b.WriteByte(first)
		switch {
		case o.kind == 6 && o.of > 0:
			b.Write(distanceOf(offsets[len(offsets)-1] - offsets[o.of-1]))
		case o.kind == 6:
			b.Write(distanceOf(o.distance))
		case o.kind == 7:
			b.Write(o.base[:])
		}
		z := zlib.NewWriter(&b)
		_, err := z.Write(o.content)
		require.NoError(t, err)
		require.NoError(t, z.Close())
	}
	sum := sha1.Sum(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

// distanceOf is a number as a delta by place has it: each further byte adds one to those before.
func distanceOf(n int) []byte {
	bytes := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		bytes = append([]byte{byte(n&0x7f) | 0x80}, bytes...)
	}
	return bytes
}

// deltaOf is a delta that copies a base object of less than 16 MiB as far as it goes, and appends some.
func deltaOf(base int, appended string) []byte {
	delta := binary.AppendUvarint(nil, uint64(base))
	delta = binary.AppendUvarint(delta, uint64(base+len(appended)))
	delta = append(delta, 0xf0, byte(base), byte(base>>8), byte(base>>16))
	for len(appended) > 0 {
		n := min(127, len(appended))
		delta, appended = append(append(delta, byte(n)), appended[:n]...), appended[n:]
	}
	return delta
}

// chain is a pack of one object and of deltas, each of the object before.
func chain(t testing.TB, deltas int) []byte {
	objects := []packed{{kind: 3, size: 1, content: []byte("1")}}
	for n := range deltas {
		delta := deltaOf(n+1, "1")
		objects = append(objects, packed{kind: 6, of: n + 1, size: len(delta), content: delta})
	}
	return packOf(t, uint32(len(objects)), objects...)
}
