//go:build linux

package aio

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/internal/testutil"
)

// plan is what one goroutine of the property test does. Numbers are drawn before it starts, so that a failure can be
// repeated.
type plan struct {
	kinds  []string
	cancel []bool
	wake   []bool
}

// world is a Queue that many goroutines use, and the account of what came of it.
type world struct {
	t    testing.TB
	q    *Queue
	file File
	path string
	near File // a socket whose peer has sent nothing
	far  File // one that is writable

	mu        sync.Mutex
	expected  map[*Request]string // taken by the kernel, and not yet seen to complete
	completed map[*Request]int

	writers atomic.Int64
	content sync.Map // offset of a block: what was written there
}

const blockSize = 512

func TestEveryRequestCompletesOnce(t *testing.T) {
	testutil.Timeout(t, 5*time.Minute)
	near, _ := sockets(t)
	_, far := sockets(t)
	dir := directory(t)
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, "file")
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		var opts []Option
		if rapid.Bool().Draw(rt, "system calls") {
			opts = append(opts, WithSyscallReap())
		}
		q, err := NewQueue(rapid.SampledFrom([]int{1, 2, 7, 64}).Draw(rt, "size"), opts...)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		w := &world{
			t: t, q: q, file: FileOf(f), path: path, near: FD(near), far: FD(far),
			expected: map[*Request]string{}, completed: map[*Request]int{},
		}
		plans := make([]plan, rapid.IntRange(1, 6).Draw(rt, "goroutines"))
		for i := range plans {
			n := rapid.IntRange(1, 20).Draw(rt, "steps")
			kinds := rapid.SampledFrom([]string{"write", "writev", "read", "sync", "ready", "never", "again", "bad"})
			plans[i] = plan{
				kinds:  rapid.SliceOfN(kinds, n, n).Draw(rt, "kinds"),
				cancel: rapid.SliceOfN(rapid.Bool(), n, n).Draw(rt, "cancel"),
				wake:   rapid.SliceOfN(rapid.Bool(), n, n).Draw(rt, "wake"),
			}
		}
		w.run(plans, rapid.Bool().Draw(rt, "early close"))
	})
}

// run carries out the plans while two goroutines wait, closes the Queue, perhaps in the middle, and settles.
func (w *world) run(plans []plan, early bool) {
	var workers, waiters sync.WaitGroup
	stop, stopWaiting := context.WithCancel(context.Background())
	for i := range 2 {
		waiters.Add(1)
		go func() {
			defer waiters.Done()
			w.wait(stop, i)
		}()
	}
	for _, p := range plans {
		workers.Add(1)
		go func() {
			defer workers.Done()
			w.work(p)
		}()
	}
	if !early {
		workers.Wait()
	}
	if err := w.q.Close(); err != nil {
		w.t.Error(err)
	}
	workers.Wait()
	stopWaiting()
	waiters.Wait()
	w.settle()
}

// wait reaps by turns with a time-out, a context and without waiting, until the Queue is closed.
func (w *world) wait(stop context.Context, which int) {
	out := make([]*Request, 3)
	for i := which; ; i++ {
		var n int
		var err error
		switch i % 3 {
		case 0:
			n, err = w.q.WaitTimeout(100*time.Microsecond, 1+i%2, out)
		case 1:
			ctx, cancel := context.WithTimeout(stop, 200*time.Microsecond)
			n, err = w.q.Wait(ctx, 1, out)
			cancel()
		case 2:
			n, err = w.q.Poll(out)
		}
		w.note(out[:n])
		switch {
		case errors.Is(err, ErrClosed):
			return
		case err == nil, errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, ErrInterrupted), errors.Is(err, ErrNoRequests), errors.Is(err, context.Canceled):
		default:
			w.t.Error(err)
			return
		}
	}
}

func (w *world) note(completed []*Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range completed {
		w.completed[r]++
		if r.State() != StateCompleted {
			w.t.Errorf("a %v request was returned", r.State())
		}
	}
}

func (w *world) work(p plan) {
	for i, kind := range p.kinds {
		r := new(Request)
		w.prepare(r, kind)
		w.mu.Lock()
		w.expected[r] = kind
		w.mu.Unlock()
		for {
			n, err := w.q.Submit(r)
			if errors.Is(err, ErrInsufficientResources) {
				w.cancelOne()
				time.Sleep(10 * time.Microsecond)
				continue
			}
			if n == 0 {
				w.forget(r, kind, err)
			}
			break
		}
		if p.cancel[i] {
			_ = r.Cancel()
		}
		if p.wake[i] {
			_ = w.q.Wakeup()
		}
	}
}

// prepare makes a request of the kind. Each write has a block of its own, so that all of them can be checked.
func (w *world) prepare(r *Request, kind string) {
	at := w.writers.Add(1)
	b := pattern(blockSize, int(at))
	var err error
	switch kind {
	case "write":
		err = r.PrepareWrite(w.file, at*blockSize, b, b)
	case "writev":
		err = r.PrepareWritev(w.file, at*blockSize, [][]byte{b[:100], b[100:]}, b)
	case "read":
		err = r.PrepareRead(w.file, 0, make([]byte, blockSize), nil)
	case "sync":
		err = r.PrepareFdsync(w.file, nil)
	case "ready":
		err = r.PreparePoll(w.far, unix.POLLOUT, nil)
	case "never":
		err = r.PreparePoll(w.near, unix.POLLIN, nil)
	case "again":
		err = r.PrepareRead(w.near, 0, make([]byte, 1), nil)
	case "bad":
		err = r.PrepareFsync(w.near, nil)
	}
	if err != nil {
		w.t.Error(err)
	}
	if kind == "write" || kind == "writev" {
		w.content.Store(at*blockSize, r)
	}
}

// forget takes a request out of the account that the kernel has not taken.
func (w *world) forget(r *Request, kind string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.expected, r)
	if !errors.Is(err, ErrClosed) && (kind != "bad" || !errors.Is(err, unix.EINVAL)) {
		w.t.Errorf("%s: %v", kind, err)
	}
}

// cancelOne makes room where all that is in flight would stay so.
func (w *world) cancelOne() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r, kind := range w.expected {
		if kind == "never" {
			_ = r.Cancel()
		}
	}
}

// settle holds that all that was submitted has completed, once, with a result that its kind can have, and that all
// data is where it belongs.
func (w *world) settle() {
	require.Zero(w.t, w.q.c.Stats())
	for r, times := range w.completed {
		require.Equal(w.t, 1, times)
		require.Contains(w.t, w.expected, r)
	}
	for r, kind := range w.expected {
		require.Equal(w.t, StateCompleted, r.State(), kind)
		n, err := r.Result()
		switch kind {
		case "write", "writev":
			require.NoError(w.t, err)
			require.Equal(w.t, blockSize, n)
		case "never":
			require.ErrorIs(w.t, err, ErrCanceled)
		case "again":
			require.ErrorIs(w.t, err, unix.EAGAIN)
		case "ready":
			if !errors.Is(err, ErrCanceled) {
				require.NoError(w.t, err)
				require.Equal(w.t, unix.POLLOUT, n)
			}
		default:
			require.NoError(w.t, err, kind)
		}
	}
	content, err := os.ReadFile(w.path)
	require.NoError(w.t, err)
	w.content.Range(func(offset, request any) bool {
		if r := request.(*Request); r.State() == StateCompleted {
			at := offset.(int64)
			require.True(w.t, bytes.Equal(r.User().([]byte), content[at:at+blockSize]), "block at %d", at)
		}
		return true
	})
}
