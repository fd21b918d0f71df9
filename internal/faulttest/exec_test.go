//go:build linux

package faulttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	aio "github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// ownByEachProcess are descriptors that the runtime of every process makes for itself, once each.
var ownByEachProcess = []string{"anon_inode:[eventpoll]", "anon_inode:[eventfd]"}

// TestChildHasNoneOfTheDescriptors starts programs while a ring sends and receives, and everything else that the
// library has waits: they have none of its descriptors, and nothing that is under way is any the worse for it.
func TestChildHasNoneOfTheDescriptors(t *testing.T) { // fault 107
	if testutil.InChild() {
		sayDescriptors(t)
		return
	}
	testutil.Timeout(t, 5*late)
	for _, backend := range everyBackend {
		if e, err := socketops.New(socketops.WithBackend(backend)); err == nil {
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			client, server := tcpPair(t, e) // the latter was accepted
			server.GoRecv(make([]byte, 8), 0, func(int, error) {})
			client.GoRecv(make([]byte, 8), 0, func(int, error) {})
		}
	}
	if q, err := aio.NewQueue(8); err == nil {
		t.Cleanup(func() { require.NoError(t, q.Close()) })
		a, _ := testutil.SocketPair(t, "tcp4")
		poll := new(aio.Request)
		require.NoError(t, poll.PreparePoll(aio.FD(a), unix.POLLIN, nil))
		_, err = q.Submit(poll)
		require.NoError(t, err)
	}
	var stop atomic.Bool
	busy := make(chan error, 1)
	go func() { busy <- sendAndReceive(t, &stop) }()
	for range 5 {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
	}
	stop.Store(true)
	require.NoError(t, <-busy)
}

// sayDescriptors fails where the process has descriptors that it did not make itself.
func sayDescriptors(t *testing.T) {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var inherited []string
	own := slices.Clone(ownByEachProcess)
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err != nil || slices.Contains([]string{"0", "1", "2"}, entry.Name()) {
			continue // it was the directory's
		}
		if i := slices.Index(own, target); i >= 0 {
			own = slices.Delete(own, i, i+1)
			continue
		}
		for _, kind := range []string{"anon_inode:", "socket:"} {
			if strings.HasPrefix(target, kind) {
				inherited = append(inherited, entry.Name()+" "+target)
			}
		}
	}
	require.Empty(t, inherited)
}

// sendAndReceive sends on a ring and receives what it has sent, until it is told to stop.
func sendAndReceive(t *testing.T, stop *atomic.Bool) error {
	r, err := uring.New(8)
	if err != nil {
		return nil // there is none here
	}
	a, b := testutil.SocketPair(t, "unix")
	sent, received := make([]byte, 512), make([]byte, 512)
	for round := byte(0); !stop.Load(); round++ {
		for i := range sent {
			sent[i] = round + byte(i)
		}
		for _, prep := range []func(s *uring.SQE) error{
			func(s *uring.SQE) error { return s.PrepRecv(b, received, unix.MSG_WAITALL) },
			func(s *uring.SQE) error { return s.PrepSend(a, sent, 0) },
		} {
			s, err := r.SQE()
			if err == nil {
				err = prep(s)
			}
			if err != nil {
				return err
			}
		}
		if _, err := r.SubmitAndWait(context.Background(), 2); err != nil {
			return err
		}
		for c := range r.Completions() {
			if int(c.Res) != len(sent) {
				return fmt.Errorf("%d of %d bytes: %w", c.Res, len(sent), c.Err())
			}
		}
		if string(received) != string(sent) {
			return fmt.Errorf("round %d arrived as something else", round)
		}
	}
	return r.Close()
}
