package probe

// Groups of features, in the order of a report.
const (
	GroupProcess  = "process"   // what must work for anything else to work
	GroupSetup    = "setup"     // flags of io_uring_setup(2)
	GroupFeature  = "feature"   // bits that the kernel announces at set-up
	GroupOp       = "operation" // opcodes that the kernel announces
	GroupRegister = "register"  // what io_uring_register(2) takes
	GroupWait     = "wait"      // ways to wait and to cancel
	GroupBuffer   = "buffer"    // provided buffers
	GroupSend     = "send"      // ways to send
	GroupReceive  = "receive"   // ways to receive, accept and poll
	GroupAIO      = "aio"       // Linux AIO
)

// Groups lists them in order.
var Groups = []string{
	GroupProcess, GroupSetup, GroupFeature, GroupOp, GroupRegister, GroupWait, GroupBuffer, GroupSend,
	GroupReceive, GroupAIO,
}

// Names of features that have no constant of the kernel.
const (
	IOURingSetup    = "io_uring_setup"
	IOURingEnter    = "io_uring_enter"
	IOURingRegister = "io_uring_register"
	Cgo             = "cgo"
	Liburing        = "liburing"

	SparseFiles   = "sparse_files"
	SparseBuffers = "sparse_buffers"

	WaitTimeout    = "wait_timeout"
	WaitMinTimeout = "wait_min_timeout"
	WaitAbsolute   = "wait_absolute"
	CancelAny      = "cancel_any"

	SendPollFirst  = "send_poll_first"
	SendTo         = "sendto"
	SendSelect     = "send_select"
	SendBundle     = "send_bundle"
	SendVectorized = "send_vectorized"
	SendZC         = "send_zc"
	SendmsgZC      = "sendmsg_zc"

	RecvSelect      = "recv_select"
	RecvMultishot   = "recv_multishot"
	RecvBundle      = "recv_bundle"
	AcceptMultishot = "accept_multishot"
	PollMultishot   = "poll_multishot"

	AIOSetup      = "io_setup"
	AIORing       = "aio_ring"
	AIOSubmit     = "io_submit"
	AIOPoll       = "IOCB_CMD_POLL"
	AIOPgetevents = "io_pgetevents"
)

// Names of features that attempts need first, and that others name too.
const (
	SetupSingleIssuer = "IORING_SETUP_SINGLE_ISSUER"
	SetupDeferTaskrun = "IORING_SETUP_DEFER_TASKRUN"
	RegisterProbe     = "IORING_REGISTER_PROBE"
	PbufRing          = "IORING_REGISTER_PBUF_RING"
	FeatNoDrop        = "IORING_FEAT_NODROP"
	FeatExtArg        = "IORING_FEAT_EXT_ARG"
	FeatBundle        = "IORING_FEAT_RECVSEND_BUNDLE"
	FeatMinTimeout    = "IORING_FEAT_MIN_TIMEOUT"
)
