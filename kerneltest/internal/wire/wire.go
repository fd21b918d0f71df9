// Package wire is what the guest of the kernel matrix tells the host: one JSON object in a line, over a serial
// port that the kernel does not log to. What the tests print travels inside of messages, so that no test can be
// taken for the guest itself.
package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// PlanPath is where the guest finds its Plan, ProbePath the program that tells what the kernel can do, and BusyboxPath
// the one that is the shell and all other commands.
const (
	PlanPath    = "/plan.json"
	ProbePath   = "/bin/probe"
	BusyboxPath = "/bin/busybox"
)

// ModulesPath is the directory in which each kernel finds those of its modules that are to be loaded, in one that is
// called by what uname -r says, in the order of their names.
const ModulesPath = "/lib/modules"

// ContainerArgument has the guest program run in a container instead of a machine of its own: the next argument is
// the file of its plan, beside which the probe program lies in bin/, and messages go to standard output. What is
// refused to the tests there is up to who starts the container.
const ContainerArgument = "-container"

// ModeVariable names the mode to the guest. The kernel hands what it does not know on its command line to the
// first process as environment.
const ModeVariable = "KERNELTEST_MODE"

// Mode is what is done to io_uring in a guest before the tests run.
type Mode string

// The modes.
const (
	On      Mode = "on"      // nothing
	Off     Mode = "off"     // kernel.io_uring_disabled=2
	EPERM   Mode = "eperm"   // a seccomp filter answers EPERM, as that of containers does
	ENOSYS  Mode = "enosys"  // a seccomp filter answers ENOSYS, as some sandboxes do, and so it does to Linux AIO
	Memlock Mode = "memlock" // RLIMIT_MEMLOCK is 8 MiB, and the tests are not excepted from it
)

// Modes are all modes, in the order in which they are run and shown: the longest first, so that none is left to run
// alone at the end.
var Modes = []Mode{On, Memlock, Off, EPERM, ENOSYS}

// Kind says what a Message is about.
type Kind string

// The kinds of messages, in the order in which a guest sends them.
const (
	Hello  Kind = "hello"  // the guest is up; Data is the kernel's release
	Absent Kind = "absent" // the kernel has no such mode, and Data is why; End follows
	Probe  Kind = "probe"  // Data is what the probe program wrote
	List   Kind = "list"   // Data names what Package has to run, one in a line
	Start  Kind = "start"  // Package starts
	Output Kind = "output" // Data is the next piece of what Package prints, in the form of -test.v=test2json
	Exit   Kind = "exit"   // Package ended, with status Exit, after Seconds
	Fault  Kind = "fault"  // the guest could not do its work, and Data is why
	End    Kind = "end"    // nothing is left to do
)

// Message is what a guest says at a time.
type Message struct {
	Kind    Kind    `json:"kind"`
	Package string  `json:"package,omitempty"`
	Data    string  `json:"data,omitempty"`
	Exit    int     `json:"exit,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

// Plan is what a guest has to do.
type Plan struct {
	Packages []Package     `json:"packages"`
	Run      string        `json:"run"`     // the -test.run of each package; empty for all tests
	Timeout  time.Duration `json:"timeout"` // the -test.timeout of each package
}

// Package is the test binary of a package in the guest.
type Package struct {
	Path   string `json:"path"`              // as Go imports it
	Binary string `json:"binary"`            // the file
	Dir    string `json:"dir"`               // to run it in; there lies its testdata
	Tests  string `json:"tests"`             // what it has: tests, examples and fuzz tests, one in a line
	OnOnly bool   `json:"on_only,omitempty"` // it is run in mode On alone
}

// Follow runs a command and calls each for every message that it prints. complaints is what the command has written
// to its standard error when it fails. Where ctx has ended, which is to have killed the command, the error is its
// cause.
func Follow(ctx context.Context, cmd *exec.Cmd, complaints fmt.Stringer, each func(Message)) error {
	messages, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := Read(messages, each)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(complaints.String()))
	}
	return readErr
}

// Read calls each for every message that r has, until its end. A line that is no message, as one that a dying
// guest did not complete, becomes a Fault.
func Read(r io.Reader, each func(Message)) error {
	lines := bufio.NewReader(r) // not a Scanner: a line may be of any length
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var m Message
			if json.Unmarshal(line, &m) != nil {
				m = Message{Kind: Fault, Data: "not a message: " + string(line)}
			}
			each(m)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
