package bench

import (
	"fmt"
	"time"
)

// Shape is what a turn sends: batches of Msgs messages of Size bytes on each of Conns connections.
type Shape struct {
	Net   string
	Conns int
	Msgs  int
	Size  int
}

func (s Shape) String() string {
	return fmt.Sprintf("%s %dx%dx%d", s.Net, s.Conns, s.Msgs, s.Size)
}

// Peer is an outside program that takes turns like a mode.
type Peer struct {
	Name    string
	Command string // a line for sh
}

// AnyCPU leaves a process where the kernel puts it.
const AnyCPU = -1

// Config says what to run.
type Config struct {
	Shapes    []Shape
	Modes     []string // of package load
	Peers     []Peer
	Rounds    int
	Dur       time.Duration // of a turn's measured window
	Warmup    time.Duration // before it
	Verify    bool
	SenderCPU int
	SinkCPU   int
	SendBuf   int // SO_SNDBUF of the senders in bytes; 0 is the kernel's default
	RecvBuf   int // SO_RCVBUF of the sink in bytes; 0 is the kernel's default
	// Progress, if not nil, is told before each turn: turns done, turns in all, and the next one.
	Progress func(done, turns int, next Turn)
}

// Turn is one sender's time in one round.
type Turn struct {
	Round int
	Shape Shape
	Mode  string // or the name of a peer
}

// turns lists every turn in the order of running. Rounds are outermost, so that a drift of the machine
// meets all alike, and each round begins with another mode, so that no mode always follows the same one.
func (c Config) turns() []Turn {
	modes := c.Contenders()
	var turns []Turn
	for round := range c.Rounds {
		for _, shape := range c.Shapes {
			for i := range modes {
				turns = append(turns, Turn{round, shape, modes[(round+i)%len(modes)]})
			}
		}
	}
	return turns
}

// Contenders lists the modes and then the peers, by name.
func (c Config) Contenders() []string {
	names := append([]string(nil), c.Modes...)
	for _, p := range c.Peers {
		names = append(names, p.Name)
	}
	return names
}

func (c Config) peer(name string) (Peer, bool) {
	for _, p := range c.Peers {
		if p.Name == name {
			return p, true
		}
	}
	return Peer{}, false
}
