package probe

import "github.com/sockring/uring/cring"

// op is a request's opcode, by name and first kernel.
type op struct {
	code  uint8
	name  string
	since Version
}

var ops = func() (all []op) {
	for code := range uint8(cring.OpLast) {
		o, _ := cring.LookupOp(code)
		all = append(all, op{code, o.Name, Version{o.Major, o.Minor}})
	}
	return all
}()

// feature is a bit of io_uring_params.features, by name and first kernel.
type feature struct {
	bit   uint32
	name  string
	since Version
}

var features = []feature{
	{cring.FeatSingleMmap, "IORING_FEAT_SINGLE_MMAP", Version{5, 4}},
	{cring.FeatNoDrop, FeatNoDrop, Version{5, 5}},
	{cring.FeatSubmitStable, "IORING_FEAT_SUBMIT_STABLE", Version{5, 5}},
	{cring.FeatRWCurPos, "IORING_FEAT_RW_CUR_POS", Version{5, 6}},
	{cring.FeatCurPersonality, "IORING_FEAT_CUR_PERSONALITY", Version{5, 6}},
	{cring.FeatFastPoll, "IORING_FEAT_FAST_POLL", Version{5, 7}},
	{cring.FeatPoll32Bits, "IORING_FEAT_POLL_32BITS", Version{5, 9}},
	{cring.FeatSQPollNonfixed, "IORING_FEAT_SQPOLL_NONFIXED", Version{5, 11}},
	{cring.FeatExtArg, FeatExtArg, Version{5, 11}},
	{cring.FeatNativeWorkers, "IORING_FEAT_NATIVE_WORKERS", Version{5, 12}},
	{cring.FeatRsrcTags, "IORING_FEAT_RSRC_TAGS", Version{5, 13}},
	{cring.FeatCQESkip, "IORING_FEAT_CQE_SKIP", Version{5, 17}},
	{cring.FeatLinkedFile, "IORING_FEAT_LINKED_FILE", Version{5, 18}},
	{cring.FeatRegRegRing, "IORING_FEAT_REG_REG_RING", Version{6, 3}},
	{cring.FeatRecvSendBundle, FeatBundle, Version{6, 10}},
	{cring.FeatMinTimeout, FeatMinTimeout, Version{6, 12}},
	{cring.FeatRWAttr, "IORING_FEAT_RW_ATTR", Version{6, 14}},
	{cring.FeatNoIOWait, "IORING_FEAT_NO_IOWAIT", Version{6, 15}},
}
