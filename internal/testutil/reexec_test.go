package testutil_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

func TestReExecReturnsOutputAndExitCode(t *testing.T) {
	tests := []struct {
		name string
		run  func()
		env  []string
		exit int
		says string
	}{
		{name: "passes", run: func() { fmt.Println("all well") }, says: "all well"},
		{name: "exits", run: func() { os.Exit(7) }, exit: 7},
		{name: "panics", run: func() { panic("over the edge") }, exit: 2, says: "over the edge"},
		{
			name: "killed by a signal",
			run: func() {
				self, _ := os.FindProcess(os.Getpid())
				self.Kill()
				select {}
			},
			exit: -1,
		},
		{
			name: "sees the environment", env: []string{"URING_TEST_WORD=heron"},
			run: func() { fmt.Println(os.Getenv("URING_TEST_WORD")) }, says: "heron",
		},
		{name: "a (name) with + signs [and] slashes/in it", run: func() { fmt.Println("found") }, says: "found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if testutil.InChild() {
				tt.run()
				return
			}
			child := testutil.ReExec(t, t.Name(), tt.env...)
			require.Equal(t, tt.exit, child.ExitCode, child.Output)
			require.Contains(t, child.Output, tt.says)
		})
	}
}

func TestReExecFailsWithoutATestOfThatName(t *testing.T) {
	outcome := watch(t, func(t testing.TB) { testutil.ReExec(t, "TestThatIsNotThere") })
	require.Contains(t, outcome.fatal, "did not run TestThatIsNotThere")
}

func TestReExecDoesNotNest(t *testing.T) {
	if testutil.InChild() {
		outcome := watch(t, func(t testing.TB) { testutil.ReExec(t, t.Name()) })
		require.Contains(t, outcome.fatal, "ReExec in a child")
		return
	}
	child := testutil.ReExec(t, t.Name())
	require.Zero(t, child.ExitCode, child.Output)
}

func TestReExecSkipsWithTheChild(t *testing.T) {
	if testutil.InChild() {
		testutil.Skip(t, testutil.NeedsPrivilege, "not %s", "this one")
	}
	outcome := watch(t, func(t testing.TB) { testutil.ReExec(t, t.Name()) })
	require.Equal(t, "privilege: not this one", outcome.skip)
	require.Empty(t, outcome.fatal)
}
