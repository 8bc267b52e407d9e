package main

import (
	"fmt"

	"transom.dev/render/sealed"
)

// readIdentities reads the keys of all files of age identities; nil: there are none.
func readIdentities(files []string) (keys *sealed.Keys, err error) {
	for _, file := range files {
		data, err := readSecret(file)
		if err != nil {
			return nil, fmt.Errorf("--age-identities: %w", err)
		}
		read, err := sealed.ReadKeys(data)
		if err != nil {
			return nil, fmt.Errorf("--age-identities: %s: %w", file, err)
		}
		keys = keys.And(read)
	}
	return keys, nil
}
