package main

import "github.com/sockring/uring/socketops"

// socketLayer makes the engine that a program gets, and says what it is built on.
func socketLayer() sockets {
	s := sockets{Refused: []refusedBackend{}}
	status, err := socketops.Status()
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.Backend = string(status.Backend)
	for _, r := range status.Refusals {
		s.Refused = append(s.Refused, refusedBackend{string(r.Backend), r.Err.Error()})
	}
	return s
}
