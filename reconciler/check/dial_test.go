package check

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInternalAddressesAreKnown in every way in which they can be written.
func TestInternalAddressesAreKnown(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254", "::ffff:127.0.0.1",
		"64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1", "ff02::1",
	} {
		require.True(t, isInternal(netip.MustParseAddr(a)), a)
	}
	for _, a := range []string{"10.0.0.7", "192.168.1.1", "172.16.0.1", "8.8.8.8", "fd12:3456::1", "2001:db8::1", "64:ff9b::808:808"} {
		require.False(t, isInternal(netip.MustParseAddr(a)), a)
	}
}

// TestTheDialledAddressIsLookedAt however harmless the name is that leads there. A literal address was allowed as it is.
func TestTheDialledAddressIsLookedAt(t *testing.T) {
	for _, at := range []string{"127.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[fe80::1%eth0]:80"} {
		require.ErrorContains(t, guard("slo.example.com")("tcp", at, nil), "slo.example.com leads to "+at+", an address of this machine or of")
	}
	require.ErrorContains(t, guard("localhost")("tcp", "127.0.0.1:80", nil), "localhost leads to 127.0.0.1:80, an address of this machine or of")
	require.NoError(t, guard("slo.example.com")("tcp", "10.0.0.7:80", nil))
	require.Nil(t, guard("127.0.0.1"))
	_, err := dial(t.Context(), "tcp", "127.0.0.1:1")
	require.ErrorContains(t, err, "connection refused")
}
