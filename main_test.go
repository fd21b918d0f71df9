package uring

import (
	"runtime"
	"testing"

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
