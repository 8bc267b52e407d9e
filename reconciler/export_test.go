package reconciler

// ResolveAtOnce has one load of a Reconciler that does not run yet resolve so many new requests: a merge of more is large.
func ResolveAtOnce(r *Reconciler, requests int) { r.cache.loading.atOnce = requests }
