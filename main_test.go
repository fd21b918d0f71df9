package uring

import (
	"bytes"
	"runtime"
	"testing"
	"unsafe"

	"github.com/sockring/uring/internal/testutil"
)

// The main thread never ends before the process, so no test may come to own a ring on it: some let a ring's thread end.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	need := map[string]func() error{"Example*": exampleRing}
	for example, features := range exampleNeeds {
		need[example] = func() error {
			caps, err := Probe()
			if err != nil {
				return err
			}
			return caps.Require(features...)
		}
	}
	testutil.MainWithExamples(m, need)
}

// exampleRing tries what all examples do first.
func exampleRing() error {
	r, err := New(16)
	if err != nil {
		return err
	}
	return r.Close()
}

const pbufRing = "IORING_REGISTER_PBUF_RING"

// exampleNeeds are the features that examples cannot do without, as they show nothing else.
var exampleNeeds = map[string][]string{
	"ExampleBufRing*":                    {pbufRing},
	"ExampleParseRecvmsg":                {pbufRing, CanRecvMultishot},
	"ExampleRing_RegisterFileAllocRange": {CanSparseFiles},
	"ExampleRing_SendBundle":             {pbufRing, CanSendBundle},
	"ExampleRing_SendTo":                 {CanSendTo},
	"ExampleRing_SendZC":                 {CanSendZC},
	"ExampleRing_SkipSuccess":            {"IORING_FEAT_CQE_SKIP"},
	"ExampleSQE_BufferSelect":            {pbufRing},
	"ExampleSQE_FixedFile":               {CanSparseFiles},
	"ExampleSQE_PrepAcceptDirect":        {CanSparseFiles},
	"ExampleSQE_PrepCancelFd":            {CanCancelAny},
	"ExampleSQE_PrepFilesUpdate":         {CanSparseFiles},
	"ExampleSQE_PrepListen":              {"IORING_OP_SOCKET"},
	"ExampleSQE_PrepMsgRing":             {"IORING_OP_MSG_RING"},
	"ExampleSQE_PrepMsgRingFd":           {CanSparseFiles},
	"ExampleSQE_PrepMultishotAccept":     {CanAcceptMultishot},
	"ExampleSQE_PrepOpenatDirect":        {CanSparseFiles},
	"ExampleSQE_PrepReadMultishot":       {pbufRing},
	"ExampleSQE_PrepRecvMultishot":       {pbufRing, CanRecvMultishot},
	"ExampleSQE_PrepRename":              {"IORING_OP_MKDIRAT"},
	"ExampleSQE_PrepSendBundle":          {pbufRing},
	"ExampleSQE_PrepSendTo":              {CanSendTo},
	"ExampleSQE_PrepSetxattr":            {"IORING_OP_SETXATTR"},
	"ExampleWithGroup":                   {pbufRing},
	"ExampleWithIncremental":             {pbufRing},
}

// where is the address of a value.
func where[T any](p *T) uint64 {
	return uint64(uintptr(unsafe.Pointer(p))) // SAFETY: a number, which is followed only while a slot pins the value.
}

// address is where a buffer lies, zero for an empty one.
func address(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return where(&b[0])
}

// memory is the bytes of plain values.
func memory[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	// SAFETY: the bytes of a live slice without pointers.
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), uintptr(len(v))*unsafe.Sizeof(v[0])))
}

func TestEveryEntryPointHasAnExample(t *testing.T) { testutil.RequireExamples(t) }
