//go:build linux

package socketvar

import (
	"expvar"
	"fmt"
	"sync"

	"github.com/sockring/uring/socketops"
)

// publishing is held from the look at a name until it is taken.
var publishing sync.Mutex

// variable is what is shown of an engine.
type variable struct {
	Backend socketops.Backend
	socketops.EngineStats
}

// Publish has package expvar show the statistics of e under name, as a JSON object: the fields of
// socketops.EngineStats, and Backend. They are looked up each time that they are shown. A name that is taken is an
// error. Package expvar takes nothing back: the name and the engine are kept until the process ends, and a closed
// engine shows its last figures.
func Publish(name string, e *socketops.Engine) error {
	publishing.Lock()
	defer publishing.Unlock()
	if expvar.Get(name) != nil {
		return fmt.Errorf("socketvar: there is a variable %q", name)
	}
	expvar.Publish(name, expvar.Func(func() any { return variable{e.Backend(), e.Stats()} }))
	return nil
}
