// Aiobench measures Linux AIO from Go, without io_uring: random reads past the page cache against fio's libaio engine,
// and batches of sends to many sockets against one writev(2) a socket. Try
//
//	go run ./examples/aiobench -h
//
// The contenders of each part take turns, round after round, in one run. fio takes part where it is installed. It
// needs Linux AIO (io_setup(2)); random reads also need a file system with O_DIRECT.
package main
