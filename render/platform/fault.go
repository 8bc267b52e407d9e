package platform

import (
	"fmt"

	"transom.dev/render/wording"
)

// A fault of Transom, or of a library, that one file brings to light is a Problem of that file: the load of the platform is everybody's.

// guarded calls do, and returns the Problem of a file for a panic in it; nil: it came to its end.
func guarded(file string, do func()) (wrong *Problem) {
	defer func() {
		if fault := recover(); fault != nil {
			wrong = &Problem{File: file, Rule: "fault", Message: fmt.Sprintf("reading it came upon a fault of Transom, which is worth a report: %v, at %s; "+
				"what it concerns keeps what it has", fault, wording.FaultyLine())}
		}
	}()
	do()
	return nil
}

// resolveGuarded is resolve, after which a request that brings a fault to light is broken.
func resolveGuarded(p *Platform, f *requestFile, s *stages, last *resolved) (r *resolved) {
	wrong := guarded(f.request.File, func() { r = resolve(p, f, s, last) })
	if wrong == nil {
		return r
	}
	broken := *f.request
	broken.Broken = true
	wrong.Request = &broken.Key
	return &resolved{file: f, offering: p.Offerings[f.request.Spec.Offering], stages: s, request: &broken, problems: []Problem{*wrong}}
}
