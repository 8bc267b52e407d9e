package gitrepo

import "reflect"

// CredentialFields are the fields that an entry of the file of credentials may have.
func CredentialFields() (names []string) {
	of := reflect.TypeFor[credential]()
	for i := range of.NumField() {
		if name := of.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
