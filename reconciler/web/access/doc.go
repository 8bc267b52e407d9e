// Package access says who asks the daemon over HTTP, and whether they may.
//
// In come requests and one file, which names tokens, the audience of Kubernetes tokens, an OpenID Connect issuer, and the role of
// each user and group. Out comes an Identity, or a Refusal with the status that it becomes. Tokens are known by their digests
// only; a session is a cookie that is sealed with a key which never leaves the daemon. Files are read again when they change,
// and one with a mistake changes nothing.
//
// It decides about requests only, and never about releases: people decide those by merging files. It keeps nothing on disk, and its
// caches are bounded.
package access
