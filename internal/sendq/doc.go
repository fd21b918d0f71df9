// Package sendq is the ordered send queue of one stream socket: what was accepted and has not left yet,
// to the byte, whatever engine moves it.
//
// A Queue copies messages into chunks of a shared Slab, or keeps buffers that were handed over. An engine
// takes a prefix of the queue as a list of memory segments, gives them to the kernel (as a send bundle, an
// iovec array, AIO requests), says how many bytes left, and settles when its request has ended:
//
//	Write, Writev, Commit, HandOver
//	          |
//	          v         Take                 Sent(n)
//	      [ pending ] -------> [ in flight ] -------> left: chunks to the slab, buffers released
//	          ^                      |
//	          +------- Settle -------+   what did not leave is pending again, from its exact byte on
//
// The package makes no system call but the mapping of slab memory, starts no goroutine and takes no lock:
// a slab and the queues on it belong to one owner at a time (a goroutine, or whoever holds the owner's
// lock).
package sendq
