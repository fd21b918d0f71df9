package uring

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// recvmsgHeader is the length of struct io_uring_recvmsg_out.
const recvmsgHeader = int(unsafe.Sizeof(cring.RecvmsgOut{}))

// RecvmsgOut is one message of PrepRecvmsgMultishot. Control and Payload are parts of the provided buffer and valid
// for as long as it is the application's.
type RecvmsgOut struct {
	Name        Sockaddr // who sent it, cut to NameRoom
	Control     []byte   // control data, cut to its room
	Payload     []byte   // data, cut to what the buffer holds
	Flags       int      // MSG_*; MSG_TRUNC and MSG_CTRUNC say that something was cut
	PayloadSize int      // how long the data would have been
}

// ParseRecvmsg takes the contents of a provided buffer apart, which a CQE of PrepRecvmsgMultishot named: b is the
// buffer cut to CQE.Res, and m the Msghdr of the operation. The lengths in the buffer are checked against b.
//
//	+--------+------------------+----------------------+---------------+
//	| header | name: m.NameRoom | control: len(Control)| payload ...   |
//	+--------+------------------+----------------------+---------------+
//
// A buffer too short for its fixed parts is unix.EINVAL.
func ParseRecvmsg(b []byte, m *Msghdr) (RecvmsgOut, error) {
	if m == nil || m.NameRoom < 0 || m.NameRoom > sockaddrMax {
		return RecvmsgOut{}, fmt.Errorf("uring: ParseRecvmsg: not a message of PrepRecvmsgMultishot: %w", unix.EINVAL)
	}
	if len(b) < recvmsgHeader || len(b)-recvmsgHeader < m.NameRoom || len(b)-recvmsgHeader-m.NameRoom < len(m.Control) {
		return RecvmsgOut{}, fmt.Errorf("uring: ParseRecvmsg: %d bytes with %d for the name and %d for control data: %w",
			len(b), m.NameRoom, len(m.Control), unix.EINVAL)
	}
	h := cring.RecvmsgOut{
		Namelen:    binary.NativeEndian.Uint32(b[0:]),
		Controllen: binary.NativeEndian.Uint32(b[4:]),
		Payloadlen: binary.NativeEndian.Uint32(b[8:]),
		Flags:      binary.NativeEndian.Uint32(b[12:]),
	}
	name, rest := b[recvmsgHeader:][:m.NameRoom], b[recvmsgHeader+m.NameRoom:]
	control, payload := rest[:len(m.Control)], rest[len(m.Control):]
	out := RecvmsgOut{
		Control:     control[:min(uint64(h.Controllen), uint64(len(control)))],
		Payload:     payload[:min(uint64(h.Payloadlen), uint64(len(payload)))],
		Flags:       int(h.Flags),
		PayloadSize: int(h.Payloadlen),
	}
	out.Name.n = uint32(copy(out.Name.raw[:], name[:min(uint64(h.Namelen), uint64(len(name)))]))
	return out, nil
}
