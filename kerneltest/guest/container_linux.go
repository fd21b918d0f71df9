package main

import (
	"os"
	"path/filepath"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// inContainer carries out the plan in the file under whatever the container allows, and returns the exit status.
// Nothing is mounted or set, as that would need privileges.
func inContainer(file string) int {
	out := &port{file: os.Stdout}
	plan, err := begin(out, file)
	if err == nil {
		err = carryOut(plan, out, filepath.Join(filepath.Dir(file), "bin", "probe"), nil)
	}
	if err != nil {
		out.send(wire.Message{Kind: wire.Fault, Data: err.Error()})
		return 1
	}
	out.send(wire.Message{Kind: wire.End})
	return 0
}
