package load

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sockring/uring/examples/internal/proto"
)

// Mode is one way of sending.
type Mode struct {
	Name string
	// About says in a few words how the mode sends, for help texts and reports.
	About string
	// Usual says that the mode runs where none are named.
	Usual bool
	run   func(proto.Job) (proto.Result, error)
}

// Modes lists the modes in the order of reports: plain system calls, the library, its ceiling, and
// what does without io_uring.
func Modes() []Mode {
	return slices.Clone(modes)
}

// Names lists the names of the modes.
func Names() []string {
	names := make([]string, len(modes))
	for i, m := range modes {
		names[i] = m.Name
	}
	return names
}

// UsualNames lists the names of the modes that run where none are named.
func UsualNames() []string {
	var names []string
	for _, m := range modes {
		if m.Usual {
			names = append(names, m.Name)
		}
	}
	return names
}

// Run does the job in the named mode. It takes the whole process: file descriptors, CPU time and system
// calls are counted for all of it. What this machine cannot do is an error that is errors.ErrUnsupported.
func Run(name string, job proto.Job) (proto.Result, error) {
	i := slices.IndexFunc(modes, func(m Mode) bool { return m.Name == name })
	if i < 0 {
		return proto.Result{}, fmt.Errorf("mode %q, want one of %s", name, strings.Join(Names(), ", "))
	}
	if err := job.Check(); err != nil {
		return proto.Result{}, err
	}
	result, err := modes[i].run(job)
	if err != nil {
		return proto.Result{}, fmt.Errorf("%s: %w", name, err)
	}
	return result, nil
}
