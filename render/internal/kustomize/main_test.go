package kustomize_test

import "flag"

var update = flag.Bool("update", false, "rewrite the problems in testdata")
