//go:build linux

package faulttest

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
)

// entered is a line of strace about a call of io_uring_enter: how many entries it was to submit, and what came of it.
var entered = regexp.MustCompile(`io_uring_enter\(\d+, (\d+), .*\) += (-?\d+)(.*)`)

// TestInterruptedEnterSubmitsOnce has calls of io_uring_enter skipped with EINTR, or refused for want of memory or of
// room, which leaves their entries in the queue: each is submitted by a later call, once. No call asks for more entries
// than there are, and the kernel finds nothing wrong with any.
func TestInterruptedEnterSubmitsOnce(t *testing.T) { // faults 18, 20 and 27
	if !testutil.InChild() { // which counts all calls
		testutil.NeedsStrace(t)
		caps, err := uring.Probe()
		require.NoError(t, err)
		testutil.SkipIfUnsupported(t, caps.Require(uring.CanSetup))
	}
	for name, inject := range map[string]string{
		"the first":     "EINTR:when=1",
		"the third":     "EINTR:when=3",
		"every second":  "EINTR:when=2+2",
		"the first two": "EINTR:when=1..2",
		"every third":   "EINTR:when=1+3",

		"no memory for the first two": "EAGAIN:when=1..2",
		"no memory for every second":  "EAGAIN:when=1+2",
		"no room for the first fifty": "EBUSY:when=1..50",
		"no room for every second":    "EBUSY:when=2+2",
	} {
		t.Run(name, func(t *testing.T) {
			if testutil.InChild() {
				submitUnderInterrupts(t)
				return
			}
			child := testutil.ReExecTraced(t, t.Name(), "io_uring_enter:error="+inject)
			require.Zero(t, child.ExitCode, child.Output)
			submitted, skipped := 0, 0
			for _, call := range entered.FindAllStringSubmatch(child.Calls, -1) {
				asked, err := strconv.Atoi(call[1])
				require.NoError(t, err)
				result, err := strconv.Atoi(call[2])
				require.NoError(t, err)
				switch {
				case !strings.Contains(call[3], "(INJECTED)"):
					submitted += max(result, 0)
					require.NotContains(t, call[3], "EINVAL", call[0])
					require.True(t, result < 0 || result == asked, "%s", call[0])
				case asked > 0:
					skipped++
				}
			}
			require.Positive(t, skipped, "no call with entries was skipped:\n%s", child.Calls)
			require.Contains(t, child.Output, fmt.Sprintf("submitted %d in all", submitted), child.Calls)
		})
	}
}

// submitUnderInterrupts does everything that submits, and prints how many entries it submitted.
func submitUnderInterrupts(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r, err := uring.New(8)
	require.NoError(t, err)
	seen := map[uint64]int{}
	reap := func() {
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			seen[c.Data64]++
		}
	}
	const rounds = 20
	for i := range uint64(rounds) {
		for v := range uint64(2) {
			s, err := r.SQE()
			require.NoError(t, err)
			require.NoError(t, s.PrepNop())
			s.SetData64(2*i + v)
		}
		switch i % 3 {
		case 0:
			n, err := r.Submit()
			require.NoError(t, err)
			require.Equal(t, 2, n)
		case 1:
			_, err := r.SubmitAndWait(context.Background(), 2)
			require.NoError(t, err)
		case 2:
			_, err := r.SubmitAndWaitTimeout(context.Background(), 2, time.Minute)
			require.NoError(t, err)
		}
		reap()
	}
	for len(seen) < 2*rounds {
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		reap()
	}
	for v, times := range seen {
		require.Equal(t, 1, times, "NOP %d", v)
	}

	// Bytes that were sent twice would show, as those that were not.
	a, b := testutil.SocketPair(t, "unix")
	sender, err := r.NewSender(a)
	require.NoError(t, err)
	want := make([]byte, 0, 1<<10)
	for i := range 20 {
		message := []byte(fmt.Sprintf("message %d;", i))
		want = append(want, message...)
		n, err := sender.Write(message)
		require.NoError(t, err)
		require.Len(t, message, n)
		if i%4 == 3 {
			require.NoError(t, r.Flush(context.Background()))
		}
		n, err = r.Send(context.Background(), a, []byte("-"), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	require.NoError(t, r.Flush(context.Background()))
	require.NoError(t, sender.Close())
	submitted := r.Stats().Submitted
	require.NoError(t, r.Close())
	require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
	file := os.NewFile(uintptr(b), "peer")
	got, err := io.ReadAll(file)
	require.NoError(t, err)
	file.Close()
	dashes := strings.Count(string(got), "-")
	require.Equal(t, 20, dashes)
	require.Equal(t, string(want), strings.ReplaceAll(string(got), "-", ""))
	fmt.Printf("submitted %d in all\n", submitted)
}
