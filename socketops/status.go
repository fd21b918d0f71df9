//go:build linux

package socketops

import "strings"

// EngineStatus says which backend serves, and why no better one does.
type EngineStatus struct {
	Backend  Backend
	Refusals []Refusal
}

// Status returns the status of the process's Engine, which it makes the first time.
func Status() (EngineStatus, error) {
	e, err := Default()
	if err != nil {
		return EngineStatus{}, err
	}
	return e.Status(), nil
}

// Status returns the Engine's status.
func (e *Engine) Status() EngineStatus { return EngineStatus{e.backend, e.refusals} }

// String returns a line for the backend that serves, and one for each that does not.
func (s EngineStatus) String() string {
	var b strings.Builder
	b.WriteString("backend " + string(s.Backend) + " serves\n")
	for _, r := range s.Refusals {
		b.WriteString("backend " + r.String() + "\n")
	}
	return b.String()
}
