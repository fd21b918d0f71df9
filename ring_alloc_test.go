//go:build linux

package uring

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSteadyStateAllocatesNothing(t *testing.T) {
	const ops = 16
	r := newTestRing(t, 32)
	ctx := context.Background()
	var dst [ops]CQE
	fill := func() {
		for i := range uint64(ops) {
			s, err := r.SQE()
			if err != nil {
				t.Fatal(err)
			}
			s.SetData64(i)
		}
	}
	reaped := 0
	for _, test := range []struct {
		name string
		run  func()
	}{
		{"Submit and Completions", func() {
			fill()
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			for range r.Completions() {
				reaped++
			}
		}},
		{"SubmitAndWait and Reap", func() {
			fill()
			if _, err := r.SubmitAndWait(ctx, ops); err != nil {
				t.Fatal(err)
			}
			n, err := r.Reap(dst[:])
			if err != nil {
				t.Fatal(err)
			}
			reaped += n
		}},
		{"SubmitAndWaitTimeout", func() {
			fill()
			if _, err := r.SubmitAndWaitTimeout(ctx, ops, time.Hour); err != nil {
				t.Fatal(err)
			}
			n, _ := r.Reap(dst[:])
			reaped += n
		}},
	} {
		reaped = 0
		require.Zero(t, testing.AllocsPerRun(100, test.run), test.name)
		require.Equal(t, 101*ops, reaped, test.name)
	}
}

func TestReceiveIntoPinnedMemoryAllocatesNothing(t *testing.T) {
	r := newTestRing(t, 4)
	ctx := context.Background()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	p, q := make([]byte, 8), make([]byte, 8)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sendOp(t, r, fds[0], p)
		recvOp(t, r, fds[1], q)
		if _, err := r.SubmitAndWait(ctx, 2); err != nil {
			t.Fatal(err)
		}
		for c := range r.Completions() {
			if c.Err() != nil {
				t.Fatal(c.Err())
			}
		}
	}))
}

func TestSubmissionCrossesIntoCOnceAWait(t *testing.T) {
	r := newTestRing(t, 64)
	before := r.c.Calls()
	for range 10 {
		for i := range uint64(64) {
			nop(t, r, i)
		}
		_, err := r.Submit()
		require.NoError(t, err)
		require.Len(t, reapAll(r), 64)
	}
	require.Equal(t, before, r.c.Calls(), "neither submitting nor reaping needs C")
	nop(t, r, 1)
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Equal(t, before+1, r.c.Calls())
}
