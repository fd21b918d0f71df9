//go:build linux

package uring

import (
	"context"
	"errors"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/internal/testutil"
)

// ledger drives a ring at random and keeps account of every operation.
type ledger struct {
	t      testing.TB
	r      *Ring
	next   uint64
	kind   map[uint64]string // by Data64: what has not ended
	id     map[uint64]OpID
	a, b   int // a socket pair
	unread int // a pipe from which nothing ever comes
}

// results are the errnos with which an operation may end besides success.
var results = map[string][]unix.Errno{
	"nop":     nil,
	"poll":    {unix.ECANCELED},
	"timeout": {unix.ETIME, unix.ECANCELED},
	"recv":    {unix.ECANCELED},
	"send":    {unix.ECANCELED},
	"cancel":  {unix.ENOENT, unix.EALREADY},
	"bad":     {unix.EBADF},
	"silent":  {unix.EBADF},
}

// ringKinds are the set-ups that differ in how SQEs and CQEs travel.
var ringKinds = map[string][]Option{
	"default":          nil,
	"plain":            {WithoutFlags(^SetupFlags(0)), WithPlainFd()},
	"coop":             {WithoutFlags(SetupDeferTaskrun | SetupSingleIssuer)},
	"sqpoll":           {WithSQPoll(time.Millisecond, -1)},
	"small completion": {WithCQEntries(8)},
}

func TestEveryOperationEndsOnceWhateverHappens(t *testing.T) {
	needs(t, CanSetup)
	testutil.Timeout(t, 2*time.Minute)
	rd, _ := testutil.Pipe(t)
	kinds := []string{"default", "plain", "coop", "sqpoll", "small completion"}
	rapid.Check(t, func(rt *rapid.T) {
		entries := rapid.SampledFrom([]uint32{1, 2, 8}).Draw(rt, "entries")
		r, err := New(entries, ringKinds[rapid.SampledFrom(kinds).Draw(rt, "ring")]...)
		require.NoError(t, err)
		l := &ledger{t: t, r: r, kind: map[uint64]string{}, id: map[uint64]OpID{}, unread: rd}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		l.a, l.b = pair[0], pair[1]

		ops := []string{"nop", "poll", "timeout", "recv", "send", "cancel", "bad"}
		if r.Features()&FeatCQESkip != 0 {
			ops = append(ops, "silent")
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch what := rapid.SampledFrom(append(ops, "submit", "wait", "reap")).Draw(rt, "step"); what {
			case "submit":
				_, err := r.Submit()
				require.NoError(t, err)
			case "wait":
				n := rapid.IntRange(0, 2).Draw(rt, "n")
				_, err := r.SubmitAndWaitTimeout(context.Background(), n, time.Millisecond)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					require.NoError(t, err)
				}
			case "reap":
				l.reap()
			default:
				l.queue(what, rapid.Int().Draw(rt, "choice"))
			}
			l.balance()
		}
		require.NoError(t, r.Close())
		l.reap()
		l.balance()
		maps.DeleteFunc(l.kind, func(_ uint64, kind string) bool { return kind == "silent" })
		require.Empty(t, l.kind, "operations without an end")
		require.Zero(t, r.Stats().InFlight)
		require.Zero(t, r.Stats().Stale)
	})
}

// queue fills an SQE with an operation of that kind.
func (l *ledger) queue(kind string, choice int) {
	l.next++
	var s *SQE
	switch kind {
	case "nop":
		var err error
		s, err = l.r.SQE()
		require.NoError(l.t, err)
	case "poll":
		s = pollOp(l.t, l.r, l.unread)
	case "timeout":
		s = timeoutOp(l.t, l.r, []time.Duration{0, time.Microsecond, time.Hour}[uint(choice)%3])
	case "recv":
		s = recvOp(l.t, l.r, l.a, make([]byte, 3))
	case "send":
		s = sendOp(l.t, l.r, l.b, []byte("five!"))
	case "cancel":
		s = cancelOp(l.t, l.r, l.victim(choice))
	case "bad":
		s = recvOp(l.t, l.r, -1, make([]byte, 3))
	case "silent":
		l.queueSilent(choice)
		return
	}
	s.SetData64(l.next)
	l.kind[l.next], l.id[l.next] = kind, s.ID()
}

// queueSilent fills an SQE of which nothing is heard, or only its failure.
func (l *ledger) queueSilent(choice int) {
	s := queued(l.t, l.r, (*SQE).PrepNop)
	if choice%2 == 0 {
		require.NoError(l.t, s.PrepClose(-1))
		l.kind[l.next] = "silent"
	}
	require.NoError(l.t, l.r.SkipSuccess(s, l.next))
	l.id[l.next] = OpID(s.raw.UserData)
}

// victim returns an operation that was queued at some time, whether it has ended or not.
func (l *ledger) victim(choice int) OpID {
	if l.next == 1 {
		return OpID(userDataOurs | 1<<30)
	}
	return l.id[1+uint64(uint(choice))%(l.next-1)]
}

// reap strikes out what has ended.
func (l *ledger) reap() {
	for c := range l.r.Completions() {
		kind, ok := l.kind[c.Data64]
		if !ok && l.r.life.closing.Load() && c.Err() != nil {
			require.ErrorIs(l.t, c.Err(), unix.ECANCELED) // a silent NOP that was not submitted
			continue
		}
		require.True(l.t, ok, "operation %d ended twice or never began", c.Data64)
		require.False(l.t, c.More())
		require.Equal(l.t, l.id[c.Data64], c.ID)
		delete(l.kind, c.Data64)
		if c.Res >= 0 {
			require.NotEqual(l.t, "bad", kind)
			continue
		}
		allowed := append([]unix.Errno{unix.ECANCELED}, results[kind]...) // any may be left unsubmitted at Close
		require.Contains(l.t, allowed, unix.Errno(-c.Res), kind)
	}
}

// balance checks that what the kernel took has ended or is in flight, and that nothing else is.
func (l *ledger) balance() {
	st := l.r.Stats()
	require.Equal(l.t, st.Submitted, st.Completed+uint64(st.InFlight)+st.Silent)
	require.Zero(l.t, st.Dropped)
}
