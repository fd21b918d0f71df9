//go:build linux

package main

import (
	"time"

	"github.com/sockring/uring/examples/internal/bench"
)

// preset is a choice of shapes and of how long to measure them.
type preset struct {
	name   string
	about  string
	shapes []bench.Shape
	rounds int
	dur    time.Duration
	warmup time.Duration
}

// The shapes that the library is held to: one busy connection, many connections with small messages, many
// with messages of a packet, and very many with few messages each.
var (
	oneConn   = bench.Shape{Net: "tcp", Conns: 1, Msgs: 64, Size: 64}
	manySmall = bench.Shape{Net: "tcp", Conns: 64, Msgs: 8, Size: 64}
	packets   = bench.Shape{Net: "tcp", Conns: 64, Msgs: 32, Size: 1400}
	veryMany  = bench.Shape{Net: "tcp", Conns: 256, Msgs: 4, Size: 128}
)

// Shapes in which a bundle has little or nothing to give: the copying of large messages, or a batch of a
// single message, leaves few system calls to save.
var (
	single     = bench.Shape{Net: "tcp", Conns: 1, Msgs: 1, Size: 64}
	singleMany = bench.Shape{Net: "tcp", Conns: 64, Msgs: 1, Size: 64}
	large      = bench.Shape{Net: "tcp", Conns: 16, Msgs: 8, Size: 16 << 10}
	larger     = bench.Shape{Net: "tcp", Conns: 1, Msgs: 16, Size: 64 << 10}
	longBatch  = bench.Shape{Net: "tcp", Conns: 4, Msgs: 1024, Size: 64}
)

func overUnix(s bench.Shape) bench.Shape {
	s.Net = "unix"
	return s
}

var presets = []preset{
	{
		name: "quick", about: "about 30 seconds: the four main shapes and a losing one",
		shapes: []bench.Shape{oneConn, manySmall, packets, veryMany, large},
		rounds: 5, dur: 150 * time.Millisecond, warmup: 20 * time.Millisecond,
	},
	{
		name: "full", about: "about 6 minutes: adds single, large and long batches, and unix sockets",
		shapes: []bench.Shape{
			oneConn, manySmall, packets, veryMany,
			single, singleMany, large, larger, longBatch,
			overUnix(oneConn), overUnix(manySmall), overUnix(packets), overUnix(large),
		},
		rounds: 7, dur: 480 * time.Millisecond, warmup: 60 * time.Millisecond,
	},
}
