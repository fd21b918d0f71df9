package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	aio "github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/socketops"
)

// Bounds of a run. What waits is given up after a while, as an injected EAGAIN has the library wait for what is there
// already, and goes on from the byte where it stood.
const (
	waitMax   = 30 * time.Millisecond  // for one transfer
	workMax   = 4 * time.Second        // for all work, where each call works in the end
	hopeMax   = 400 * time.Millisecond // for all work, where it need not
	closeMax  = 8 * time.Second        // for Close, whose own bounds are shorter
	answerMax = 8 * time.Second        // for a callback, once its operation was cancelled
	idleTime  = 120 * time.Millisecond // for which nothing happens
	idleCPU   = 40 * time.Millisecond  // of which so much may be spent
)

// order is what a run is asked to do.
type order struct {
	Errno   int  `json:"errno"` // that calls fail with, or 0
	Endless bool `json:"endless"`
}

// report is what a run says.
type report struct {
	Broken []string `json:"broken"` // promises that were not kept
	Told   []string `json:"told"`   // where the caller heard of the error, "sendto" of "sendto: EPERM", without doubles
	Refuse bool     `json:"refuse"` // the engine could not be made
	Whole  bool     `json:"whole"`  // all the work was done
	Leaked bool     `json:"leaked"` // Close said that it had to keep what the kernel has
	Failed bool     `json:"failed"` // the engine has failed, and its Go forms with it
	Idle   []span   `json:"idle"`   // when nothing happened
}

// span is a time, in nanoseconds since 1970.
type span struct {
	From, To int64
}

// run is one run of a driver. Drivers call its methods from any goroutine.
type run struct {
	errno  syscall.Errno
	engine bool          // an engine makes the calls
	sums   atomic.Uint64 // keys of flows

	mu       sync.Mutex // guards what follows
	endless  bool       // the work need not be done in the end
	deadline time.Time  // for it
	report   report
}

func newRun(o order) *run {
	r := &run{errno: syscall.Errno(o.Errno), endless: o.Endless, report: report{Whole: true}}
	r.begin()
	return r
}

// begin gives the next part of the work its time.
func (r *run) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = time.Now().Add(workMax)
	if r.endless {
		r.deadline = time.Now().Add(hopeMax)
	}
}

// broken notes a promise that was not kept.
func (r *run) broken(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := fmt.Sprintf(format, args...); len(r.report.Broken) < 20 && !slices.Contains(r.report.Broken, text) {
		r.report.Broken = append(r.report.Broken, text)
	}
}

// expired reports whether the time for the work is over.
func (r *run) expired() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().After(r.deadline)
}

// engineFailed notes that the engine has failed: Go forms end with the reason from then on, so the work cannot be done.
func (r *run) engineFailed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.report.Failed {
		r.report.Failed, r.endless = true, true
		r.deadline = time.Now().Add(hopeMax)
	}
}

// undone notes that a part of the work was not done, which only the failure of every call excuses.
func (r *run) undone(what string, err error) {
	r.mu.Lock()
	r.report.Whole = false
	endless := r.endless
	r.mu.Unlock()
	if !endless {
		r.broken("%s was not done in %v: %v", what, workMax, err)
	}
}

// told looks at an error that the library has returned, and reports whether there is one. It has to be the injected
// one, in a form that can be tested for, or the end of the wait that the run has set.
func (r *run) told(what string, err error) bool {
	if err == nil {
		return false
	}
	var (
		leak   *uring.LeakError
		unsent *uring.UnsentError
		left   *aio.UnsentError
	)
	switch {
	case r.errno != 0 && errors.Is(err, r.errno):
		var call *os.SyscallError
		if errors.As(err, &call) && call.Syscall == "io_uring_enter" && r.engine {
			r.engineFailed()
		}
		r.mu.Lock()
		if !slices.Contains(r.report.Told, what) {
			r.report.Told = append(r.report.Told, what)
		}
		r.mu.Unlock()
	case errors.As(err, &leak):
		r.mu.Lock()
		r.report.Leaked = true
		r.mu.Unlock()
	case errors.As(err, &unsent), errors.As(err, &left): // of a Sender that was closed before all had left
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, socketops.ErrCanceled), errors.Is(err, unix.ECANCELED):
	case errors.Is(err, socketops.ErrWouldBlock):
	default:
		r.broken("%s: an error that is not the injected one: %v (%T)", what, err, err)
	}
	return true
}

// until repeats a step of the work until that succeeds, and reports whether it did.
func (r *run) until(what string, step func(ctx context.Context) error) bool {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), waitMax)
		err := step(ctx)
		cancel()
		if !r.told(what, err) {
			return true
		}
		if r.expired() {
			r.undone(what, err)
			return false
		}
	}
}

// bounded calls f, which has to return in time.
func (r *run) bounded(what string, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-time.After(closeMax):
		r.broken("%s has not returned after %v\n%s", what, closeMax, stacks())
		return false
	}
}

// idle has nothing happen while wait runs, for idleTime, and holds that this is what is done.
func (r *run) idle(what string, wait func()) {
	before, from := processorTime(), time.Now()
	wait()
	spent, to := processorTime()-before, time.Now()
	if allowed := idleCPU + to.Sub(from)/8; spent > allowed {
		r.broken("%s: %v of processor time in %v, in which nothing happened", what, spent, to.Sub(from))
	}
	r.mu.Lock()
	r.report.Idle = append(r.report.Idle, span{from.UnixNano(), to.UnixNano()})
	r.mu.Unlock()
}

func processorTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func stacks() string {
	b := make([]byte, 1<<18)
	return excerpt(string(b[:runtime.Stack(b, true)]))
}

// group is a number of goroutines.
type group struct{ sync.WaitGroup }

// Go runs f, which Wait waits for.
func (g *group) Go(f func()) {
	g.Add(1)
	go func() {
		defer g.Done()
		f()
	}()
}

// flow is a stream of bytes of which each is known: it depends on the flow and on its place. So a byte that is lost,
// doubled or not where it belongs shows at once.
type flow struct {
	run  *run
	name string
	key  uint64
	size int // bytes
	sent int // bytes that the sender was told have left
	got  int // bytes that have arrived
}

func (r *run) newFlow(name string, size int) *flow {
	return &flow{run: r, name: name, key: r.sums.Add(1) * 0x9e3779b97f4a7c15, size: size}
}

// fill writes the bytes of the flow from a place on to b.
func (f *flow) fill(b []byte, at int) {
	var word [8]byte
	for i := range b {
		place := at + i
		binary.LittleEndian.PutUint64(word[:], mix(f.key+uint64(place/8)))
		b[i] = word[place%8]
	}
}

// mix is a permutation of 64-bit numbers in which each bit of the result depends on all of x.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// next returns the bytes to be sent next, at most n.
func (f *flow) next(n int) []byte {
	b := make([]byte, min(n, f.size-f.sent))
	f.fill(b, f.sent)
	return b
}

// arrived takes bytes that have arrived.
func (f *flow) arrived(b []byte) {
	want := make([]byte, len(b))
	f.fill(want, f.got)
	for i := range b {
		if b[i] != want[i] {
			f.run.broken("%s: byte %d is wrong: %s", f.name, f.got+i, f.seek(b[i:]))
			break
		}
	}
	f.got += len(b)
}

// seek says where the bytes are from that came in place of others.
func (f *flow) seek(b []byte) string {
	want := make([]byte, f.size)
	f.fill(want, 0)
	if at := strings.Index(string(want), string(b[:min(len(b), 16)])); at >= 0 {
		return fmt.Sprintf("what arrived is from byte %d on", at)
	}
	return "what arrived is from nowhere in the flow"
}

// settle compares what has arrived with what has left, after read has taken the rest out of the socket.
func (f *flow) settle(fd int) {
	b := make([]byte, 4096)
	for f.got < f.sent {
		n, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			break
		}
		f.arrived(b[:n])
	}
	if n, _ := unix.Read(fd, b); n > 0 {
		f.run.broken("%s: bytes beyond the %d that were told to have left: at least %d", f.name, f.sent, n)
	}
	if f.got != f.sent {
		f.run.broken("%s: %d bytes were told to have left, and %d have arrived", f.name, f.sent, f.got)
	}
}

// once counts the calls of a callback.
type once struct {
	run   *run
	name  string
	calls atomic.Int32
	done  chan struct{}
}

func (r *run) once(name string) *once {
	return &once{run: r, name: name, done: make(chan struct{})}
}

func (o *once) call() {
	if o.calls.Add(1) != 1 {
		o.run.broken("the callback of %s came twice", o.name)
		return
	}
	close(o.done)
}

// came waits for the callback, which has to come now.
func (o *once) came() bool {
	select {
	case <-o.done:
		return true
	case <-time.After(answerMax):
		o.run.broken("the callback of %s did not come in %v\n%s", o.name, answerMax, stacks())
		return false
	}
}
