package main

// sockets is what package socketops has to serve sockets with.
type sockets struct {
	Backend string           `json:"backend,omitempty"`
	Refused []refusedBackend `json:"refused"` // the better ones
	Error   string           `json:"error,omitempty"`
}

type refusedBackend struct {
	Backend string `json:"backend"`
	Reason  string `json:"reason"`
}
