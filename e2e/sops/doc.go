// Package sops proves that files of sealed values are files of SOPS, both ways: the real SOPS opens files that Transom sealed, and
// Transom opens files that the real SOPS sealed. It is a module of its own, and none that the product or its tests are built with:
// SOPS brings the SDKs of five clouds.
package sops
