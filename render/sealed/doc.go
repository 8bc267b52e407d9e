// Package sealed reads, writes and opens files of secret values in the format of SOPS with age keys. In come the bytes of a
// Secret's manifest whose values are sealed, out comes all of it that can be read without a key, with every Problem at once, or
// with the keys the values themselves.
//
// A file is made for one request in one environment, or for one image pull secret of an environment, which is sealed along with the values
// and compared when it is opened: a copy of it opens nowhere else. The values are sealed with a key of their own, that key is sealed for each recipient, and a digest
// over all sealed values in their order, the MAC, is sealed too. It is compared always.
//
// The package is the only door to age. It does not import SOPS, whose module brings the SDKs of five clouds; that both read each
// other's files is tested with the real one. It logs nothing, and no error or Problem of it repeats a value.
package sealed
