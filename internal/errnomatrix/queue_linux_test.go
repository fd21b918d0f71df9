package errnomatrix

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

// queueRows are about the two queues and about who submits.
var queueRows = map[string]row{
	"get_sqe until full (entries=4)": fillQueue,
	"CQ overflow: 40 nops into cq=8": func(e *env) string { _, answer := e.overflow(); return answer },
	"reaped with peek loop": func(e *env) string {
		ring, _ := e.overflow()
		return fmt.Sprint(e.reapAll(ring))
	},
	"submit from 2nd thread, SINGLE_ISSUER ring":  submitFromAnotherThread,
	"submit on inherited ring in fork child":      submitFromFork,
	"submit after ring fd closed behind our back": submitToClosedDescriptor,
}

const queueEntries = 4

func fillQueue(e *env) string {
	ring, err := e.newRing(queueEntries, 0)
	e.prepared(succeeded(err))
	n := 0
	for ; err == nil; n++ {
		_, err = ring.Queue(cring.SQE{Opcode: cring.OpNop})
	}
	require.ErrorIs(e, err, rawring.ErrFull)
	return fmt.Sprintf("%d then NULL", n-1)
}

// overflow submits more NOPs than there is room for completions.
func (e *env) overflow() (*rawring.Ring, string) {
	e.Helper()
	const nops = 40
	ring, err := e.newRing(queueEntries, 0)
	e.prepared(succeeded(err))
	require.EqualValues(e, 2*queueEntries, ring.Params.CQEntries)
	submitted := 0
	for ; submitted < nops; submitted++ {
		if _, err = ring.Submit(cring.SQE{Opcode: cring.OpNop}); err != nil {
			break
		}
	}
	flag := 0
	if ring.Overflowed() {
		flag = 1
	}
	answer := fmt.Sprintf("submitted=%d cq_ready=%d overflow_flag=%d", submitted, ring.Unseen(), flag)
	if err != nil {
		answer += " " + succeeded(err)
	}
	return ring, answer
}

// reapAll returns how many completions come, waiting only for what is in flight. Ids count from 1.
func (e *env) reapAll(ring *rawring.Ring) int {
	e.Helper()
	reaped := 0
	for id := uint64(1); ring.Pending(id); id++ {
		_, err := ring.Await(id, patience)
		require.NoError(e, err)
		reaped++
	}
	return reaped
}

func submitFromAnotherThread(e *env) string {
	ring, err := e.newRing(queueEntries, cring.SetupSingleIssuer)
	if err != nil {
		return succeeded(err)
	}
	// This goroutine is locked to its thread, so any other is on another.
	answer := make(chan string)
	go func() {
		_, err := ring.Submit(cring.SQE{Opcode: cring.OpNop})
		answer <- succeeded(err)
	}()
	return <-answer
}

func submitToClosedDescriptor(e *env) string {
	ring := e.ring(0)
	require.NoError(e, unix.Close(ring.Fd))
	ring.Fd = unusedFd // so that closing the ring cannot hit who has the number next
	_, err := ring.Submit(cring.SQE{Opcode: cring.OpNop})
	return succeeded(err)
}

// submitFromFork has a child that shares the ring submit what this process has queued. It answers what
// io_uring_enter(2) returned in the child.
func submitFromFork(e *env) string {
	ring := e.ring(0)
	id, err := ring.Queue(cring.SQE{Opcode: cring.OpNop})
	require.NoError(e, err)
	pid, errno := forkToEnter(uintptr(ring.Fd), 1)
	require.Zero(e, errno)
	answer := result(e.exitStatus(int(pid)))
	c, err := ring.Await(id, patience)
	require.NoError(e, err)
	require.Zero(e, c.Res)
	return answer
}

// forkToEnter has a child call io_uring_enter(2) to submit and exit with what that returned, which is negative where
// it failed. Between clone and exit the child may do nothing else: no other thread of the runtime is there, and locks
// that they held stay locked.
//
//go:norace
//go:nosplit
func forkToEnter(fd, submit uintptr) (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	n, _, failed := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, fd, submit, 0, 0, 0, 0)
	if failed != 0 {
		n = -uintptr(failed)
	}
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, n, 0, 0)
	}
}

// exitStatus waits for a child and returns its status as the signed byte that it is. It kills one that takes longer
// than patience.
func (e *env) exitStatus(pid int) int32 {
	e.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var status unix.WaitStatus
		got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
		if err != unix.EINTR {
			require.NoError(e, err)
		}
		if got == pid {
			require.True(e, status.Exited(), "status %#x", int(status))
			return int32(int8(status.ExitStatus()))
		}
		if time.Now().After(deadline) {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil)
			e.Fatalf("the child did not end within %v", patience)
		}
	}
}
