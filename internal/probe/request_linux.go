package probe

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

// answeredHelper wraps the error of a system call that only prepares an attempt, whatever the errno: it says nothing
// about the feature.
func answeredHelper(call string, err error) error {
	return fmt.Errorf("preparing the attempt: %s: %w", call, err)
}

// submit gives one request to the kernel.
func submit(r *rawring.Ring, sqe cring.SQE) (id uint64, err error) {
	id, err = r.Submit(sqe)
	var errno unix.Errno
	if errors.As(err, &errno) {
		return 0, answeredCall("io_uring_enter", errno)
	}
	return id, err
}

// await returns the next CQE of a request; a negative result becomes the error.
func (p *prober) await(r *rawring.Ring, id uint64, opcode uint8) (cring.CQE, error) {
	c, err := r.Await(id, p.patience())
	if err != nil {
		return c, fmt.Errorf("waiting for %s: %w", opName(opcode), err)
	}
	if c.Res < 0 {
		return c, answeredRequest(opName(opcode), unix.Errno(-c.Res))
	}
	return c, nil
}

// do submits one request and returns its first CQE; a negative result becomes the error.
func (p *prober) do(r *rawring.Ring, sqe cring.SQE) (cring.CQE, error) {
	id, err := submit(r, sqe)
	if err != nil {
		return cring.CQE{}, err
	}
	return p.await(r, id, sqe.Opcode)
}

// nop sends one NOP through the ring.
func (p *prober) nop(r *rawring.Ring) error {
	_, err := p.do(r, cring.SQE{Opcode: cring.OpNop, Fd: -1})
	return err
}

// register wraps io_uring_register(2). The kernel must be done with arg when it returns.
func register[T any](r *rawring.Ring, op uint32, arg *T, nr int) (int, error) {
	// SAFETY: T is the argument that op takes, as the kernel declares it, and lives until the call returns.
	n, err := r.Register(op, unsafe.Pointer(arg), nr)
	if err != nil {
		return 0, answeredCall("io_uring_register", err)
	}
	return n, nil
}

// unregister is register for an operation that takes no argument.
func unregister(r *rawring.Ring, op uint32) error {
	_, err := register[byte](r, op, nil, 0)
	return err
}

// opName is the kernel's name of an opcode.
func opName(code uint8) string {
	for _, o := range ops {
		if o.code == code {
			return o.name
		}
	}
	return fmt.Sprintf("opcode %d", code)
}

// errnoOf returns the errno that the kernel answered to an attempt, or 0.
func errnoOf(err error) unix.Errno {
	var said answer
	if errors.As(err, &said) {
		errno, _ := said.Err.(unix.Errno)
		return errno
	}
	return 0
}
