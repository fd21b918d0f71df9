package aio

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// trials finds out, once for each operation that is newer than AIO, whether the kernel has it.
var trials = map[opcode]func() error{
	opPoll:   sync.OnceValue(func() error { return try(opPoll) }),
	opFsync:  sync.OnceValue(func() error { return try(opFsync) }),
	opFdsync: sync.OnceValue(func() error { return try(opFdsync) }),
}

// supports returns EINVAL where the kernel does not have the operation. Another error says nothing.
func supports(op opcode) error { return trials[op]() }

// trialPatience is how long a trial may take that completes at once.
const trialPatience = time.Second

// try submits an operation that any kernel accepts that has it.
func try(op opcode) error {
	c, err := NewContext(1)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "aio")
	if err != nil {
		return errors.Join(err, c.Close())
	}
	defer file.Close()
	defer os.Remove(file.Name())
	trial := Request{op: op, file: FileOf(file)}
	if op == opPoll {
		trial.file, trial.events = FD(c.notifier.fd), unix.POLLOUT // which eventfds always are ready for
	}
	cb, err := c.IOCB()
	if err != nil {
		return errors.Join(err, c.Close())
	}
	if err = trial.fill(cb); err == nil {
		_, err = c.Submit(cb)
	}
	if err != nil {
		return errors.Join(err, cb.Release(), c.Close())
	}
	_, err = c.GetEvents(1, make([]Event, 1), trialPatience)
	return errors.Join(err, c.Close())
}
