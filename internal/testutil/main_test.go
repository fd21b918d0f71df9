package testutil_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

// TestMainReportsLeaks leaves something behind in a child process and reads what that says at its end.
func TestMainReportsLeaks(t *testing.T) {
	testutil.InSource(t) // it is about go test
	tests := []struct {
		name  string
		leave func()
		exit  int
		says  string
	}{
		{name: "nothing", leave: func() {}},
		{
			name:  "a goroutine that blocks",
			leave: func() { go blockForEver() },
			exit:  1, says: `leaked goroutine \d+ \[.*\]:\n.*testutil_test.blockForEver`,
		},
		{
			name:  "a goroutine about to end",
			leave: func() { go time.Sleep(100 * time.Millisecond) },
		},
		{
			name:  "a file",
			leave: func() { keptOpen, _ = os.Open(os.DevNull) },
			exit:  1, says: `leaked file descriptor \d+ \(/dev/null\)`,
		},
		{
			name: "a closed file",
			leave: func() {
				f, _ := os.Open(os.DevNull)
				f.Close()
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if testutil.InChild() {
				tt.leave()
				return
			}
			child := testutil.ReExec(t, t.Name())
			require.Equal(t, tt.exit, child.ExitCode, child.Output)
			if tt.says == "" {
				require.NotContains(t, child.Output, "leaked")
			} else {
				require.Regexp(t, tt.says, child.Output)
			}
		})
	}
}

func blockForEver() { select {} }

// keptOpen keeps a leaked file from being closed by the garbage collector.
var keptOpen *os.File

func TestTimeoutEndsAHangingTest(t *testing.T) {
	if testutil.InChild() {
		testutil.Timeout(t, 50*time.Millisecond)
		blockForEver()
	}
	child := testutil.ReExec(t, t.Name())
	require.Equal(t, 2, child.ExitCode, child.Output)
	require.Contains(t, child.Output, t.Name()+" still runs after 50ms")
	require.Contains(t, child.Output, "blockForEver")
}

func TestTimeoutEndsWithTheTest(t *testing.T) {
	if testutil.InChild() {
		t.Run("short", func(t *testing.T) { testutil.Timeout(t, 50*time.Millisecond) })
		time.Sleep(100 * time.Millisecond)
		return
	}
	child := testutil.ReExec(t, t.Name())
	require.Zero(t, child.ExitCode, child.Output)
}
