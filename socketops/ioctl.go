//go:build linux

package socketops

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// IOControlCode is what IOControl is asked for. The numbers are those that the managed runtimes use everywhere, and
// not the kernel's.
type IOControlCode uint32

// The codes that IOControl knows.
const (
	IOControlFIONBIO    IOControlCode = 0x8004667e // refused: SetBlocking does that
	IOControlFIONREAD   IOControlCode = 0x4004667f // as Available
	IOControlSIOCATMARK IOControlCode = 0x40047307 // as AtOutOfBandMark: 1 or 0
)

// IOControl wraps ioctl(2): it asks for a number, which it puts into the first 4 bytes of out as the machine orders
// them, and returns that these are 4. What is in in does not matter. Less than 4 bytes of out are EFAULT,
// IOControlFIONBIO is ErrBlockingMode, and what is not among the codes is EOPNOTSUPP, all without asking the kernel
// (A59).
func (s *Socket) IOControl(code IOControlCode, in, out []byte) (int, error) {
	n, err := s.ioControl(code, out)
	if err != nil {
		return 0, err
	}
	binary.NativeEndian.PutUint32(out, uint32(n))
	return 4, nil
}

func (s *Socket) ioControl(code IOControlCode, out []byte) (int, error) {
	switch code {
	case IOControlFIONREAD, IOControlSIOCATMARK:
	case IOControlFIONBIO:
		return 0, s.invalid("ioctl", ErrBlockingMode)
	default:
		what := fmt.Sprintf("IOControl of %#x", uint32(code))
		return 0, s.invalid("ioctl", &UnsupportedError{What: what, Why: "the numbers are not the kernel's"})
	}
	if len(out) < 4 {
		return 0, s.invalid("ioctl", unix.EFAULT)
	}
	if code == IOControlFIONREAD {
		return s.Available()
	}
	at, err := s.AtOutOfBandMark()
	return asInt(at), err
}
