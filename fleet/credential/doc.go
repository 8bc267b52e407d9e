// Package credential reads how the clusters of the fleet are reached, says when that ends, and renews the tokens that are Transom's
// own.
//
// In come the kubeconfigs of a directory and of labelled Secrets of a management cluster; out comes a [Credential] for a
// cluster: a client configuration with its source, its user and its expiry. A kubeconfig that runs a program, reads files
// elsewhere, or goes past the checks of TLS is refused unless the operator allows it. Only a token that "transom cluster add"
// made is ever renewed, and written back only to where it was read from.
package credential
