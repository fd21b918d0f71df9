// Package sink is the receiving end of the benchmark: a process of its own, so that its CPU time stays
// out of the sender's, which throws away what it receives as cheaply as the kernel allows and counts it.
// Asked to verify, it hashes every stream instead.
//
// The benchmark steers it over its standard input and output, a line of JSON each way (control.go). Serve
// is the process; Client is the benchmark's side.
package sink
