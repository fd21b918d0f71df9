//go:build linux

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sockring/uring/examples/internal/load"
)

const usageHead = `Usage: bundlebench [flags]

Measures send bundles over io_uring against writev(2) and against the same loop in C. Every mode sends
the same messages from a process of its own to a sink process, in turns, round after round; after every
turn the sink must have received each byte that was sent.

A shape is CONNSxMSGSxSIZE. One pass sends a batch, MSGS messages of SIZE bytes, on each of CONNS
connections, and ends when the kernel has taken all of it.

What to send
  -preset NAME          quick (default) or full:
`

const usageMiddle = `  -shape LIST           shapes in the place of the preset's: -shape 64x8x64,256x4x128
  -conns LIST           or every combination of these numbers of connections (default 64),
  -msgs LIST            messages in a batch (default 8),
  -size LIST            and bytes in a message (default 64): -conns 1,64 -size 64,1400
  -net LIST             tcp, unix or tcp,unix (default: the preset's; tcp for shapes of your own)
  -sndbuf, -rcvbuf N    SO_SNDBUF of the senders, SO_RCVBUF of the sink (default: the kernel's)

How to send it
  -modes LIST           some of these, in this order (default: all):
`

const usageTail = `  -peer NAME=COMMAND    another contender: a program that speaks the protocol of PROTOCOL.md, started
                        by sh; may be given several times

How to measure
  -rounds N             rounds in which every mode takes its turn (default: the preset's)
  -dur D                length of a turn's measured window, such as 500ms (default: the preset's)
  -warmup D             sent before it and not measured (default: an eighth of -dur)
  -pin[=SENDER,SINK]    pin the sender and the sink each to a CPU: to two cores of this machine, or to
                        the CPUs given
  -verify               number the messages and compare the SHA-256 of every stream; slows the sink,
                        so the figures of such a run say nothing about speed

What to write besides the table
  -json FILE            all figures for programs; - is the standard output, the table goes to stderr then
  -svg FILE             charts, for light and dark backgrounds and for narrow screens
  -html FILE            a page with charts, table, machine and command; needs no network
  -md FILE              the figures as tables of Markdown

An interrupt (^C) ends the run early: the report is then of what was measured until there. The exit
status is 0, 1 if a turn failed or lost a byte, or 2 for a command line that makes no sense.

Columns: messages/s and MB/s (10^6 bytes of payload) count what the kernel took from the sender; CPU ns/msg
is user and system time of the sender's process; syscalls/msg counts the sender's calls to send and to
wait (of netbuffers the write calls only: Go's scheduler makes more, to wait). Each is the median over the
rounds, with the least and the greatest. Ratios are taken round by round; a word such as "faster" stands
where every round gives it, of at least 5, and otherwise that the rounds disagree.
`

// printUsage writes the help text.
func printUsage(w io.Writer) {
	fmt.Fprint(w, usageHead)
	list(w, len(presets), func(i int) (string, string) { return presets[i].name, presets[i].about })
	fmt.Fprint(w, usageMiddle)
	modes := load.Modes()
	list(w, len(modes), func(i int) (string, string) { return modes[i].Name, modes[i].About })
	fmt.Fprint(w, usageTail)
}

// list writes n names with what they mean, below the text of a flag.
func list(w io.Writer, n int, entry func(int) (name, about string)) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range n {
		name, about := entry(i)
		fmt.Fprintf(tw, "                          %s\t%s\n", name, about)
	}
	tw.Flush()
}
