package uring

import (
	"fmt"
	"iter"
	"math/bits"
	"strings"

	"github.com/sockring/uring/cring"
)

// SetupFlags are the flags of io_uring_setup(2).
type SetupFlags uint32

// Set-up flags, each with the first mainline kernel that knows it.
const (
	SetupIOPoll       SetupFlags = cring.SetupIOPoll       // 5.1; not served
	SetupSQPoll       SetupFlags = cring.SetupSQPoll       // 5.1
	SetupSQAff        SetupFlags = cring.SetupSQAff        // 5.1
	SetupCQSize       SetupFlags = cring.SetupCQSize       // 5.5
	SetupClamp        SetupFlags = cring.SetupClamp        // 5.6
	SetupAttachWQ     SetupFlags = cring.SetupAttachWQ     // 5.6
	SetupRDisabled    SetupFlags = cring.SetupRDisabled    // 5.10
	SetupSubmitAll    SetupFlags = cring.SetupSubmitAll    // 5.18
	SetupCoopTaskrun  SetupFlags = cring.SetupCoopTaskrun  // 5.19
	SetupTaskrunFlag  SetupFlags = cring.SetupTaskrunFlag  // 5.19
	SetupSQE128       SetupFlags = cring.SetupSQE128       // 5.19; not served
	SetupCQE32        SetupFlags = cring.SetupCQE32        // 5.19; not served
	SetupSingleIssuer SetupFlags = cring.SetupSingleIssuer // 6.0
	SetupDeferTaskrun SetupFlags = cring.SetupDeferTaskrun // 6.1
	SetupNoMmap       SetupFlags = cring.SetupNoMmap       // 6.5; not served
	SetupNoSQArray    SetupFlags = cring.SetupNoSQArray    // 6.6
	SetupCQEMixed     SetupFlags = cring.SetupCQEMixed     // 6.18; not served
	SetupSQEMixed     SetupFlags = cring.SetupSQEMixed     // 6.19; not served
)

var setupNames = []string{
	"IOPOLL", "SQPOLL", "SQ_AFF", "CQSIZE", "CLAMP", "ATTACH_WQ", "R_DISABLED", "SUBMIT_ALL", "COOP_TASKRUN",
	"TASKRUN_FLAG", "SQE128", "CQE32", "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP", "REGISTERED_FD_ONLY",
	"NO_SQARRAY", "HYBRID_IOPOLL", "CQE_MIXED", "SQE_MIXED", "SQ_REWIND",
}

// String names the flags as the kernel does, without their prefix: "SINGLE_ISSUER|DEFER_TASKRUN".
func (f SetupFlags) String() string { return bitNames(uint32(f), setupNames) }

// Features are the feature bits that io_uring_setup(2) announces.
type Features uint32

// Feature bits, each with the first mainline kernel that announces it.
const (
	FeatNoDrop         Features = cring.FeatNoDrop         // 5.5: no completion is ever lost
	FeatSubmitStable   Features = cring.FeatSubmitStable   // 5.5
	FeatFastPoll       Features = cring.FeatFastPoll       // 5.7
	FeatExtArg         Features = cring.FeatExtArg         // 5.11: waits take a time-out
	FeatCQESkip        Features = cring.FeatCQESkip        // 5.17
	FeatRecvSendBundle Features = cring.FeatRecvSendBundle // 6.10: bundles
	FeatMinTimeout     Features = cring.FeatMinTimeout     // 6.12: minimum waits
)

var featureNames = []string{
	"SINGLE_MMAP", "NODROP", "SUBMIT_STABLE", "RW_CUR_POS", "CUR_PERSONALITY", "FAST_POLL", "POLL_32BITS",
	"SQPOLL_NONFIXED", "EXT_ARG", "NATIVE_WORKERS", "RSRC_TAGS", "CQE_SKIP", "LINKED_FILE", "REG_REG_RING",
	"RECVSEND_BUNDLE", "MIN_TIMEOUT", "RW_ATTR", "NO_IOWAIT",
}

// String names the features as the kernel does, without their prefix.
func (f Features) String() string { return bitNames(uint32(f), featureNames) }

// CQEFlags are the flags of a completion.
type CQEFlags uint32

// Flags of a CQE. The upper 16 bits are a buffer id where CQEBuffer is set.
const (
	CQEBuffer       CQEFlags = cring.CQEFBuffer       // took a provided buffer
	CQEMore         CQEFlags = cring.CQEFMore         // another CQE of this operation follows
	CQESockNonempty CQEFlags = cring.CQEFSockNonempty // the socket has more to read
	CQENotif        CQEFlags = cring.CQEFNotif        // zero copy: the memory is free again
	CQEBufMore      CQEFlags = cring.CQEFBufMore      // incremental ring: the buffer holds more room or data
)

var cqeNames = []string{"BUFFER", "MORE", "SOCK_NONEMPTY", "NOTIF", "BUF_MORE", "SKIP"}

// String names the flags as the kernel does, and the buffer where there is one: "BUFFER(7)|MORE".
func (f CQEFlags) String() string {
	s := bitNames(uint32(f)&(1<<cring.CQEBufferShift-1), cqeNames)
	if f&CQEBuffer != 0 {
		s = strings.Replace(s, "BUFFER", fmt.Sprintf("BUFFER(%d)", f>>cring.CQEBufferShift), 1)
	}
	return s
}

// bitNames joins the names of the bits that are set; a bit without a name is shown as 1<<n.
func bitNames(v uint32, names []string) string {
	if v == 0 {
		return "0"
	}
	var parts []string
	for ; v != 0; v &= v - 1 {
		n := bits.TrailingZeros32(v)
		if n < len(names) {
			parts = append(parts, names[n])
		} else {
			parts = append(parts, fmt.Sprintf("1<<%d", n))
		}
	}
	return strings.Join(parts, "|")
}

// opNames are the operations by opcode, in the words of the system calls they stand for: "send", "read_fixed".
var opNames = func() (names [cring.OpLast]string) {
	for code := range names {
		op, _ := cring.LookupOp(uint8(code))
		names[code] = strings.ToLower(strings.TrimPrefix(op.Name, "IORING_OP_"))
	}
	return names
}()

// opName is how errors call an operation.
func opName(op uint8) string {
	if int(op) < len(opNames) {
		return opNames[op]
	}
	return fmt.Sprintf("opcode %d", op)
}

// Opcodes is a set of operations by their opcodes, such as cring.OpSend.
type Opcodes [4]uint64

// Has reports whether the opcode is in the set.
func (o Opcodes) Has(opcode uint8) bool { return o[opcode/64]&(1<<(opcode%64)) != 0 }

func (o *Opcodes) add(opcode uint8) { o[opcode/64] |= 1 << (opcode % 64) }

// All yields the opcodes of the set in ascending order.
func (o Opcodes) All() iter.Seq[uint8] {
	return func(yield func(uint8) bool) {
		for op := range 256 {
			if o.Has(uint8(op)) && !yield(uint8(op)) {
				return
			}
		}
	}
}
