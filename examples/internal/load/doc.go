// Package load is the sending end of the benchmark: one way of sending, a mode, in a process of its own.
//
// Every mode does the same work. A batch is a number of messages on each of a number of connections; a
// pass sends one batch on every connection and ends when the kernel has taken all of it. The messages are
// prepared once and sent again in each pass: what is measured is the sending. All modes share the memory
// layout of the messages, the socket options, and one look at the clock a pass.
package load
