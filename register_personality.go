package uring

import (
	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

var (
	opPersonality = registerOp{
		cring.RegisterPersonality, "IORING_REGISTER_PERSONALITY",
		probe.Version{Major: 5, Minor: 6},
		noArgument,
	}

	opPersonalityUnregister = registerOp{
		cring.UnregisterPersonality, "IORING_UNREGISTER_PERSONALITY",
		probe.Version{Major: 5, Minor: 6},
		everKnown,
	}
)

// RegisterPersonality keeps the thread's present credentials under an id, for SQE.SetPersonality to run operations
// with after the thread has changed its own. It wraps io_uring_register_personality(3). Since 5.6.
func (r *Ring) RegisterPersonality() (uint16, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	id, err := r.register(opPersonality, "register personality", nil, 0)
	return uint16(id), err
}

// UnregisterPersonality forgets the credentials under the id. It wraps io_uring_unregister_personality(3). An id that
// is not registered is unix.EINVAL. Since 5.6.
func (r *Ring) UnregisterPersonality(id uint16) error {
	if err := r.owned(); err != nil {
		return err
	}
	// The id goes where other operations have the count of their arguments.
	_, err := r.register(opPersonalityUnregister, "unregister personality", nil, uint32(id))
	return err
}
