// Bundlebench measures what send bundles over io_uring buy against writev(2), in Go and against the same
// loop in C.
//
// It shows:
//   - messages in provided buffers leaving many sockets by one system call a batch (mode "bundle"),
//   - the same through uring.Sender, which copies messages in and sends whenever 64 KiB wait (mode "sender"),
//     or flushes every batch before the next begins, as the other modes do (mode "sender-flush"),
//   - one io_submit(2) a batch, where there is no io_uring (modes "aio" and "aio-sender", when asked for),
//   - what writev(2), net.Buffers and one send a message cost in the same minute on the same machine.
//
// Each mode sends from a process of its own to a sink process, in turns, and after every turn the sink's
// count of bytes, or with -verify its hash of every stream, must be what was sent.
//
// Needs Linux 6.10 for bundles; modes that the machine cannot run are left out with the reason.
//
//	go run ./examples/bundlebench                       # about 30 seconds
//	go run ./examples/bundlebench -preset full -html report/bundlebench.html
//	go run ./examples/bundlebench -h
package main
