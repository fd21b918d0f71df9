package errnomatrix

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/rawring"
	"github.com/sockring/uring/internal/testutil"
)

// aioEntries is how many requests a context is made for.
const aioEntries = 8

var aioSetupRows = map[string]row{
	"io_setup(0)":     func(e *env) string { return e.ioSetup(0, 0) },
	"io_setup(-1)":    func(e *env) string { return e.ioSetup(math.MaxUint32, 0) },
	"io_setup(1<<30)": func(e *env) string { return e.ioSetup(1<<30, 0) },
	"io_setup ctx!=0": func(e *env) string { return e.ioSetup(aioEntries, 1) },
	"io_setup(8)":     func(e *env) string { return e.ioSetup(aioEntries, 0) },
	"io_setup ctxp=NULL": func(*env) string {
		return succeeded(ioSetup(aioEntries, nil))
	},
}

func (e *env) ioSetup(nr uintptr, ctx aioContext) string {
	e.Helper()
	err := ioSetup(nr, &ctx)
	answer := succeeded(err)
	if answer == ok {
		e.prepared(succeeded(ioDestroy(ctx)))
	}
	return answer
}

// context makes a context, to be destroyed after the row.
func (e *env) context() aioContext {
	e.Helper()
	var ctx aioContext
	e.prepared(succeeded(ioSetup(aioEntries, &ctx)))
	// A row may have destroyed it already.
	e.Cleanup(func() { _ = ioDestroy(ctx) })
	return ctx
}

// pollIn waits until fd is readable.
func pollIn(fd int) iocb { return iocb{opcode: iocbPoll, fd: uint32(fd), buf: unix.POLLIN} }

var aioSubmitRows = map[string]row{
	"submit fd=999":       func(e *env) string { return e.submit(pollIn(unusedFd)) },
	"submit opcode=77":    func(e *env) string { return e.submit(iocb{opcode: 77, fd: uint32(e.filledPipe())}) },
	"submit reserved2!=0": submitChanged(func(cb *iocb) { cb.reserved = 1 }),
	"POLL events>16bit":   submitChanged(func(cb *iocb) { cb.buf = 1 << 16 }),
	"POLL nbytes!=0":      submitChanged(func(cb *iocb) { cb.nbytes = 1 }),
	"POLL ok":             submitChanged(func(*iocb) {}),
	"POLL again": func(e *env) string {
		ctx, cb := e.context(), pollIn(e.filledPipe())
		require.Equal(e, "ok(1)", answered(ioSubmit(ctx, 1, iocbs(e, cb))))
		require.Equal(e, "ok(1)", e.getevents(ctx, 1))
		return answered(ioSubmit(ctx, 1, iocbs(e, cb)))
	},
	"submit bad ctx": func(e *env) string {
		return answered(ioSubmit(badAddress, 1, iocbs(e, pollIn(e.filledPipe()))))
	},
	// The second address stops what would otherwise go on until the array's memory ends.
	"submit nr=-1": func(e *env) string {
		cb := rawring.Addr(alloc(e, pollIn(e.filledPipe())))
		return answered(ioSubmit(e.context(), math.MaxUint32, array(e, cb, badAddress)))
	},
	"submit nr=0":        func(e *env) string { return answered(ioSubmit(e.context(), 0, nil)) },
	"submit iocbpp=NULL": func(e *env) string { return answered(ioSubmit(e.context(), 1, nil)) },
	"submit iocb=8":      func(e *env) string { return answered(ioSubmit(e.context(), 1, alloc[uint64](e, badAddress))) },
	"POLL submits until refused, io_setup(8)": submitUntilRefused,
	"IOCB_CMD_PREAD on empty blocking socket": readBlocking,
}

func (e *env) submit(cb iocb) string {
	e.Helper()
	return answered(ioSubmit(e.context(), 1, iocbs(e, cb)))
}

// submitChanged submits a poll for a readable pipe after it was changed.
func submitChanged(change func(*iocb)) row {
	return func(e *env) string {
		cb := pollIn(e.filledPipe())
		change(&cb)
		return e.submit(cb)
	}
}

var aioEventRows = map[string]row{
	"getevents min>nr": func(e *env) string {
		return answered(ioGetevents(e.context(), 2, 1, alloc(e, ioEvent{}), nil))
	},
	"getevents timeout 20ms none": func(e *env) string { return e.geteventsNone(20 * time.Millisecond) },
	"getevents tv_nsec=2e9":       func(e *env) string { return e.geteventsNone(2 * time.Second) },
	"getevents bad ctx":           func(e *env) string { return e.getevents(badAddress, 1) },
	"getevents ev=NULL with event ready": func(e *env) string {
		ctx := e.context()
		require.Equal(e, "ok(1)", answered(ioSubmit(ctx, 1, iocbs(e, pollIn(e.filledPipe())))))
		return answered(ioGetevents(ctx, 1, 1, nil, nil))
	},
	"getevents": func(e *env) string {
		ctx, cb := e.context(), pollIn(e.filledPipe())
		require.Equal(e, "ok(2)", answered(ioSubmit(ctx, 2, iocbs(e, cb, cb))))
		return e.getevents(ctx, 2)
	},
	"io_cancel nothing": func(e *env) string {
		return succeeded(ioCancel(e.context(), alloc(e, pollIn(e.filledPipe()))))
	},
	"io_cancel armed poll": func(e *env) string {
		_, answer := e.cancelled()
		return answer
	},
	"getevents after cancel": func(e *env) string {
		ctx, _ := e.cancelled()
		return e.getevents(ctx, 1)
	},
}

// getevents answers how many events there are, waiting for the minimum at most for patience.
func (e *env) getevents(ctx aioContext, minimum uintptr) string {
	e.Helper()
	limit := unix.NsecToTimespec(patience.Nanoseconds())
	return answered(ioGetevents(ctx, minimum, aioEntries, array(e, make([]ioEvent, aioEntries)...), alloc(e, limit)))
}

// setNsec sets a field whose size depends on the processor.
func setNsec[N ~int32 | ~int64](field *N, d time.Duration) { *field = N(d) }

// geteventsNone waits for an event that does not come. The time is in nanoseconds alone, of which there may be more
// than a second has.
func (e *env) geteventsNone(d time.Duration) string {
	e.Helper()
	ctx, began := e.context(), time.Now()
	limit := unix.Timespec{}
	setNsec(&limit.Nsec, d)
	answer := answered(ioGetevents(ctx, 1, 1, alloc(e, ioEvent{}), alloc(e, limit)))
	require.GreaterOrEqual(e, time.Since(began), d)
	return answer
}

// cancelled arms a poll and answers what io_cancel(2) says of it.
func (e *env) cancelled() (aioContext, string) {
	e.Helper()
	ctx, cb := e.context(), alloc(e, pollIn(e.emptyPipe()))
	require.Equal(e, "ok(1)", answered(ioSubmit(ctx, 1, alloc(e, rawring.Addr(cb)))))
	return ctx, succeeded(ioCancel(ctx, cb))
}

var aioEndRows = map[string]row{
	"io_destroy with armed polls": func(e *env) string {
		ctx, cb := e.context(), pollIn(e.emptyPipe())
		require.Equal(e, "ok(2)", answered(ioSubmit(ctx, 2, iocbs(e, cb, cb))))
		return succeeded(ioDestroy(ctx))
	},
	"io_destroy twice": func(e *env) string { return succeeded(ioDestroy(e.destroyed())) },
	"submit after destroy": func(e *env) string {
		return answered(ioSubmit(e.destroyed(), 1, iocbs(e, pollIn(e.filledPipe()))))
	},
	"getevents after destroy": func(e *env) string { return e.getevents(e.destroyed(), 1) },
}

func (e *env) destroyed() aioContext {
	e.Helper()
	ctx := e.context()
	e.prepared(succeeded(ioDestroy(ctx)))
	return ctx
}

// submitUntilRefused counts how many polls stay armed. The kernel hands out the requests of a context to processors in
// batches, so what one processor gets is the whole batches among them. The number differs with the processors that the
// machine may have; the answer says "all whole batches" where it is the one to expect.
func submitUntilRefused(e *env) string {
	e.stayOnProcessor()
	ctx, cb := e.context(), pollIn(e.emptyPipe())
	available := int(ctx.ring().nr) - 1
	submitted, answer := 0, ""
	for submitted <= available && answer == "" {
		switch said := answered(ioSubmit(ctx, 1, iocbs(e, cb))); said {
		case "ok(1)":
			submitted++
		default:
			answer = said
		}
	}
	batch := max(1, available/(4*possibleProcessors(e)))
	e.Logf("%d polls of %d were armed, in batches of %d", submitted, available, batch)
	count := strconv.Itoa(submitted)
	if submitted == available/batch*batch {
		count = "all whole batches"
	}
	return fmt.Sprintf("stopped after %s: %s", count, answer)
}

// stayOnProcessor keeps the row's thread on one processor.
func (e *env) stayOnProcessor() {
	e.Helper()
	var allowed, one unix.CPUSet
	require.NoError(e, unix.SchedGetaffinity(0, &allowed))
	first := 0
	for !allowed.IsSet(first) {
		first++
	}
	one.Set(first)
	require.NoError(e, unix.SchedSetaffinity(0, &one))
	e.Cleanup(func() { require.NoError(e, unix.SchedSetaffinity(0, &allowed)) })
}

// possibleProcessors returns how many processors the kernel has prepared for. They are numbered from 0, as in "0-7".
func possibleProcessors(e *env) int {
	e.Helper()
	list, err := os.ReadFile("/sys/devices/system/cpu/possible")
	require.NoError(e, err)
	text := strings.TrimSpace(string(list))
	last, err := strconv.Atoi(text[strings.LastIndexAny(text, "-,")+1:])
	require.NoError(e, err)
	return last + 1
}

// readBlocking reads from a blocking socket before there is data. The thread that submits is watched until it sleeps
// in io_submit(2), then the data comes: the call returns with what was not there when it began. A signal, such as Go's
// runtime sends to preempt threads, ends such a read by EINTR, which is another row's matter.
func readBlocking(e *env) string {
	for {
		if answer, interrupted := readBlockingOnce(e); !interrupted {
			return answer
		}
	}
}

func readBlockingOnce(e *env) (answer string, interrupted bool) {
	reader, writer := e.sockets()
	ctx := e.context()
	request := iocbs(e, iocb{opcode: iocbPread, fd: uint32(reader), buf: e.page(), nbytes: uint64(len(text))})
	thread, submitted := make(chan int, 1), make(chan string, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		submitted <- answered(ioSubmit(ctx, 1, request))
	}()
	id := <-thread
	for !testutil.SleepsIn(e, id, unix.SYS_IO_SUBMIT) {
		select {
		case answer := <-submitted:
			return answer, answer == "ok(1)" && readResult(e, ctx) == -int64(unix.EINTR)
		case <-time.After(time.Millisecond):
		}
	}
	_, err := unix.Write(writer, []byte(text))
	require.NoError(e, err)
	require.Equal(e, "ok(1)", <-submitted)
	res := readResult(e, ctx)
	if res == -int64(unix.EINTR) {
		return "", true
	}
	require.EqualValues(e, len(text), res)
	return "BLOCKED in io_submit", false
}

// readResult returns the result of the one request that is over.
func readResult(e *env, ctx aioContext) int64 {
	e.Helper()
	event := alloc(e, ioEvent{})
	require.Equal(e, "ok(1)", answered(ioGetevents(ctx, 1, 1, event, nil)))
	return event.res
}
