// Package bench runs the benchmark: senders in turns against one sink, and a check after every turn that
// the sink received each byte that the sender says it sent.
package bench
