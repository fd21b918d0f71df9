package errnomatrix

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// ok is the answer of what succeeds and returns nothing of interest.
const ok = "ok(0)"

// answered is what a system call returned, in the words of the table. An errno of 0 is no error.
func answered(n int, err error) string {
	var errno unix.Errno
	known := errors.As(err, &errno)
	switch {
	case err == nil, known && errno == 0:
		return fmt.Sprintf("ok(%d)", n)
	case known:
		return "-" + errnoName(errno)
	}
	return err.Error()
}

// succeeded is answered for a call whose result is a descriptor or otherwise of no interest.
func succeeded(err error) string { return answered(0, err) }

// errnoName is the kernel's name of an errno.
func errnoName(errno unix.Errno) string {
	if errno == unix.EOPNOTSUPP { // which in user space is ENOTSUP too
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(errno)
}

// completed is what the completions of one request say, in the words of the table.
func completed(cqes []cring.CQE) string {
	var b strings.Builder
	b.WriteString(result(cqes[0].Res))
	if len(cqes) == 1 {
		return b.String()
	}
	for i, c := range cqes {
		fmt.Fprintf(&b, " [cqe%d res=%d", i, c.Res)
		if c.Flags&cring.CQEFMore != 0 {
			b.WriteString(" MORE")
		}
		if c.Flags&cring.CQEFNotif != 0 {
			b.WriteString(" NOTIF")
		}
		b.WriteString("]")
	}
	return b.String()
}

func result(res int32) string {
	if res < 0 {
		return answered(0, unix.Errno(-res))
	}
	return answered(int(res), nil)
}
