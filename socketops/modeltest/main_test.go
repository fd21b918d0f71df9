//go:build linux

// Package modeltest holds socketops to a simple model of its contract, by random programs on every engine that works
// here: what many goroutines did to many sockets is explained by the model afterwards, and what one goroutine does one
// step after the other has the one result that the model foretells.
//
// Run it longer with -rapid.checks=1000, and a failure again with the -rapid.failfile that it names.
package modeltest

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// checksDefault is how many programs each test runs where neither the command line nor the environment says another
// number, and a fifth of them with -short.
const checksDefault = "50"

// hangLimit is how long a test may take for a program, the slowest machines and the race detector included.
const hangLimit = 30 * time.Second

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", checksDefault); err != nil {
		panic(err)
	}
	testutil.Main(m)
}

var backends = []socketops.Backend{socketops.BackendURing, socketops.BackendAIO, socketops.BackendSyscall}

// TestManyGoroutines (B01 to B12, B16, B23, B24, B30 to B32, B38, N38, N50, N58): whatever is done at the same time, no
// byte is lost, doubled or out of order, and each operation is over once, with an error that it can have.
func TestManyGoroutines(t *testing.T) {
	for _, b := range backends {
		t.Run(string(b), func(t *testing.T) {
			e, err := socketops.New(socketops.WithBackend(b))
			testutil.SkipIfUnsupported(t, err)
			require.NoError(t, err)
			runs := 1
			rapid.Check(t, func(r *rapid.T) {
				p := drawProgram(r)
				for range runs {
					faults := runProgram(r, e, b, p)
					if faults == "" {
						continue
					}
					if runs == 1 {
						t.Logf("the first failure:\n%s", faults)
					}
					runs = runsAfterFailure
					r.Fatal(faults)
				}
			})
			require.NoError(t, e.Close())
		})
	}
}

// runsAfterFailure is how often a program is run once one has failed: what happens at the same time does not happen
// again in the same way, and without a failure there is nothing to make smaller.
const runsAfterFailure = 20

// runProgram runs a program, on an Engine of its own where it says so, and returns what was wrong, or "".
func runProgram(t *rapid.T, e *socketops.Engine, b socketops.Backend, p program) string {
	if p.ownEngine {
		var err error
		e, err = socketops.New(socketops.WithBackend(b))
		require.NoError(t, err)
	}
	return newRun(t, e, p).make()
}
