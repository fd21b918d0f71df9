// Package proto is what a sender process and the benchmark say to each other: the job, handed over in
// environment variables; the bytes on the wire; and the result, one line of JSON. PROTOCOL.md two
// directories up describes it for programs that are not ours.
package proto
