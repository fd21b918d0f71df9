//go:build !linux || !cgo

package cring

import (
	"unsafe"

	"github.com/sockring/uring/internal/unix"
)

// Supported reports whether this build reaches liburing at all.
const Supported = false

// Ring stands in for a liburing ring where there is none; Setup never makes one.
type Ring struct{ View }

const nosys = -int(unix.ENOSYS)

func Setup(uint32, *Params) (*Ring, int) { return nil, nosys }

func Adopt(unsafe.Pointer) *Ring { return &Ring{} }

func (r *Ring) Pointer() unsafe.Pointer                              { return nil }
func (r *Ring) Calls() uint64                                        { return 0 }
func (r *Ring) Exit()                                                {}
func (r *Ring) Submit() int                                          { return nosys }
func (r *Ring) Wait(uint32, Timespec) int                            { return nosys }
func (r *Ring) WaitMin(uint32, uint32, uint32, Timespec, uint32) int { return nosys }
func (r *Ring) WaitSQ() int                                          { return nosys }
func (r *Ring) Register(uint32, unsafe.Pointer, uint32) int          { return nosys }
func (r *Ring) RegisterRingFd() int                                  { return nosys }
func (r *Ring) UnregisterRingFd() int                                { return nosys }
func (r *Ring) Enter(uint32, uint32, uint32) int                     { return nosys }

// Hold stands in for what a thread has where there are no rings to be owned.
type Hold struct{}

func TakeHold() *Hold { return &Hold{} }

func (h *Hold) Mine() bool { return false }
func (h *Hold) Gone() bool { return true }
func (h *Hold) Release()   {}

func HeaderVersion() (major, minor int)  { return 0, 0 }
func LibraryVersion() (major, minor int) { return 0, 0 }
