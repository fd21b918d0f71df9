//go:build linux

package modeltest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// program is what a run does.
type program struct {
	links     []linkSpec
	workers   [][]step
	readers   []reader
	patience  time.Duration // until all that still waits is cancelled
	ownEngine bool          // the run ends with the Engine's end
}

// linkSpec is two connected sockets to be made.
type linkSpec struct {
	kind            kind
	sndBuf, recvBuf int // 0 for the system's
}

func (l linkSpec) String() string {
	return fmt.Sprintf("%v sndbuf=%d rcvbuf=%d", l.kind, l.sndBuf, l.recvBuf)
}

// reader is a goroutine that receives whatever comes to one side of a link, size bytes at most at a time, so that sends
// that wait for room go on piece by piece.
type reader struct{ link, side, size int }

// action is what a step does.
type action string

const (
	actSend       action = "send"
	actRecv       action = "recv"
	actCancel     action = "cancel" // of an operation of the same goroutine
	actDeadline   action = "deadline"
	actTimeout    action = "timeout"
	actShutdown   action = "shutdown"
	actClose      action = "close"
	actReplace    action = "replace" // close both, and open others
	actDisconnect action = "disconnect"
	actVolley     action = "volley" // a receive on every socket, and then a send to each
)

// actions are what to draw from: transfers most of all.
var actions = []action{
	actSend, actRecv, actSend, actRecv, actSend, actRecv, actSend, actRecv, actSend, actRecv, actSend, actRecv,
	actCancel, actCancel, actCancel, actDeadline, actTimeout, actShutdown, actClose, actReplace, actDisconnect,
	actVolley,
}

// step is what a goroutine does next.
type step struct {
	do         action
	link, side int
	form       int // index among those of the kind
	size       int
	wait       time.Duration // of a context, 0 for none; a deadline or time-out
	sending    bool          // which direction a deadline, time-out or shutdown is about
	both       bool
	times      int // how often a transfer is made
	which      int // of the operations that can be cancelled, counted from the last
}

func (s step) String() string {
	return fmt.Sprintf("%s link %d.%d form %d size %d wait %v sending %v both %v times %d which %d", s.do, s.link, s.side,
		s.form, s.size, s.wait, s.sending, s.both, s.times, s.which)
}

// waits are how long things wait: not at all, as long as it takes, and around what the run takes.
var waits = []time.Duration{
	0, -time.Second, time.Nanosecond, 100 * time.Microsecond, time.Millisecond,
	3 * time.Millisecond,
}

func drawLink(t *rapid.T) linkSpec {
	buffers := []int{0, 1, 20_000}
	return linkSpec{
		kind:    rapid.SampledFrom(kinds).Draw(t, "kind"),
		sndBuf:  rapid.SampledFrom(buffers).Draw(t, "SO_SNDBUF"),
		recvBuf: rapid.SampledFrom(buffers).Draw(t, "SO_RCVBUF"),
	}
}

func drawReader(t *rapid.T) reader {
	return reader{
		link: rapid.IntRange(0, 3).Draw(t, "link"),
		side: rapid.IntRange(0, 1).Draw(t, "side"),
		size: rapid.SampledFrom([]int{1000, 7000, 50_000}).Draw(t, "size"),
	}
}

func drawStep(t *rapid.T) step {
	return step{
		do:      rapid.SampledFrom(actions).Draw(t, "do"),
		link:    rapid.IntRange(0, 3).Draw(t, "link"),
		side:    rapid.IntRange(0, 1).Draw(t, "side"),
		form:    rapid.IntRange(0, 100).Draw(t, "form"),
		size:    rapid.OneOf(rapid.IntRange(1, 16), rapid.IntRange(1, 3000), rapid.IntRange(1, 100_000)).Draw(t, "size"),
		wait:    rapid.SampledFrom(waits).Draw(t, "wait"),
		sending: rapid.Bool().Draw(t, "sending"),
		both:    rapid.Bool().Draw(t, "both"),
		times:   rapid.SampledFrom([]int{1, 1, 1, 2, 5}).Draw(t, "times"),
		which:   rapid.IntRange(0, 3).Draw(t, "which"),
	}
}

func drawProgram(t *rapid.T) program {
	return program{
		links: rapid.SliceOfN(rapid.Custom(drawLink), 1, 4).Draw(t, "links"),
		workers: rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawStep), 1, 40), 1, 5).
			Draw(t, "goroutines"),
		readers:   rapid.SliceOfN(rapid.Custom(drawReader), 0, 3).Draw(t, "readers"),
		patience:  time.Duration(rapid.IntRange(1, 10).Draw(t, "patience")) * time.Millisecond,
		ownEngine: rapid.IntRange(0, 4).Draw(t, "own engine") == 4,
	}
}
