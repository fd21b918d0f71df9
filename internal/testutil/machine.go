package testutil

import (
	"os"
	"testing"
)

// MachineVariable names the environment variable that, set to OwnMachine, lets tests change what is the whole
// machine's: sysctls, the clock, network devices, control groups. Guests of the kernel matrix set it, and nothing else
// should.
const (
	MachineVariable = "SOCKRING_TEST_MACHINE"
	OwnMachine      = "own"
)

// NeedsOwnMachine skips the test unless it may change what is the whole machine's.
func NeedsOwnMachine(t testing.TB) {
	t.Helper()
	if os.Getenv(MachineVariable) != OwnMachine {
		Skip(t, NeedsMachine, "the test changes the whole machine, which a guest of the kernel matrix is there for")
	}
}
