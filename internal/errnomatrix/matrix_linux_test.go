package errnomatrix

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

var recordFile = flag.String("errnomatrix.record", "", "write what this kernel answers to `FILE`")

// row does what a line of the table says and returns the kernel's answer.
type row func(*env) string

// suites has for each suite of the table what it needs, and its rows by the exact text of their input.
var suites = map[string]struct {
	needs []string
	rows  map[string]row
}{
	"bad": {
		[]string{uring.CanSetup, uring.CanEnter, uring.CanRegister},
		merged(setupRows, enterRows, requestRows, cancelRows, socketRows, zeroCopyRows, registerRows, fileRows,
			bufferRows, restrictionRows, queueRows),
	},
	"aio": {
		[]string{uring.CanAIO, uring.CanAIOSubmit},
		merged(aioSetupRows, aioSubmitRows, aioEventRows, aioEndRows),
	},
}

// merged returns the rows of all groups. Two with the same input would be an error of the programmer.
func merged(groups ...map[string]row) map[string]row {
	all := make(map[string]row)
	for _, group := range groups {
		for input := range group {
			if _, ok := all[input]; ok {
				panic("two rows for " + input)
			}
		}
		maps.Copy(all, group)
	}
	return all
}

func TestErrnoMatrix(t *testing.T) {
	tab := readTable(t)
	var kernel release
	kernel.major, kernel.minor = testutil.KernelVersion()
	columns := tab.columns(kernel)
	record := newRecord(t)
	for name, suite := range suites {
		t.Run(name, func(t *testing.T) {
			requireFeatures(t, suite.needs...)
			for _, l := range tab.lines {
				if l.suite != name {
					continue
				}
				t.Run(l.input, func(t *testing.T) {
					testutil.Timeout(t, rowTimeout)
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					e := newEnv(t)
					answer := suite.rows[l.input](e)
					e.requireMemory(answer)
					record(l, answer)
					require.Contains(t, l.accepted(columns), answer, "fault %s, note: %s", l.fault, l.note)
				})
			}
		})
	}
}

// newRecord returns what notes the answer to a line: in the log, and where asked to in a file.
func newRecord(t *testing.T) func(line, string) {
	if *recordFile == "" {
		return func(line, string) {}
	}
	f, err := os.Create(*recordFile)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	var name unix.Utsname
	require.NoError(t, unix.Uname(&name))
	fmt.Fprintf(f, "suite\tinput\t%s\n", unix.ByteSliceToString(name.Release[:]))
	return func(l line, answer string) {
		_, err := fmt.Fprintf(f, "%s\t%s\t%s\n", l.suite, l.input, answer)
		require.NoError(t, err)
	}
}

func TestEveryLineHasItsRow(t *testing.T) {
	lines := make(map[string]map[string]bool)
	for _, l := range readTable(t).lines {
		require.Contains(t, suites, l.suite)
		require.Contains(t, suites[l.suite].rows, l.input, "no function for a line of suite %s", l.suite)
		if lines[l.suite] == nil {
			lines[l.suite] = make(map[string]bool)
		}
		require.False(t, lines[l.suite][l.input], "two lines for %s", l.input)
		lines[l.suite][l.input] = true
	}
	for name, suite := range suites {
		for input := range suite.rows {
			require.Contains(t, lines[name], input, "no line for a function of suite %s", name)
		}
	}
}

// answerMark opens the line in which a child tells its answer.
const answerMark = "errnomatrix: the answer is "

// alone runs a row in a process of its own: one that changes the whole process, or that has been seen to hang. A child
// that hangs ends itself after rowTimeout.
func alone(run row) row {
	return func(e *env) string {
		if testutil.InChild() {
			answer := run(e)
			fmt.Println(answerMark + answer)
			return answer
		}
		child := testutil.ReExec(e, e.Name())
		_, answer, found := strings.Cut(child.Output, answerMark)
		if !found && strings.Contains(child.Output, "--- SKIP: "+e.Name()) {
			e.requireMemory(succeeded(unix.ENOMEM)) // the only cause for a row to skip itself
		}
		require.True(e, found, child.Output)
		answer, _, _ = strings.Cut(answer, "\n")
		return answer
	}
}

// TestSuitesSkipWhereTheyAreRefused runs the suites behind a filter like that of a container.
func TestSuitesSkipWhereTheyAreRefused(t *testing.T) {
	for name, refused := range map[string]uintptr{"bad": unix.SYS_IO_URING_SETUP, "aio": unix.SYS_IO_SETUP} {
		t.Run(name, func(t *testing.T) {
			if testutil.InChild() {
				testutil.RefuseSyscalls(t, unix.EPERM, refused)
				requireFeatures(t, suites[name].needs...)
				t.Fatal("nothing refused the suite")
			}
			child := testutil.ReExec(t, t.Name())
			require.Zero(t, child.ExitCode, child.Output)
			require.Contains(t, child.Output, "SKIP: "+t.Name())
			require.Contains(t, child.Output, "seccomp")
		})
	}
}
