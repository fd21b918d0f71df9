// Command testreport runs go test and shows what a reader of the result wants to see: a line for each
// package, the whole output of each test that failed, and at the end how many tests passed, failed and were
// skipped, with the reason of each skip. All its arguments go to go test; its exit status is go test's.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

func main() {
	start := time.Now()
	r := newReport(os.Stdout)
	err := run(r, os.Args[1:])
	r.summarize(time.Since(start))

	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

// run passes the events of go test to the report until go test ends.
func run(r *report, args []string) error {
	// Without -count, go test may answer from its cache, which does not know that the kernel or a sysctl changed.
	// Most tests of sockets wait, so that two packages for each processor are no more than keep it busy.
	packages := fmt.Sprintf("-p=%d", 2*runtime.NumCPU())
	// Whoever wants vet runs it once, and not with each way to build the tests; nobody debugs their binaries.
	flags := []string{"test", "-json", "-count=1", "-vet=off", "-ldflags=-w", packages}
	cmd := exec.Command("go", append(flags, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// The program is waited for even if its output could not be read: its exit status says more.
	readErr := r.read(events)
	if err := cmd.Wait(); err != nil {
		return err
	}
	return readErr
}
