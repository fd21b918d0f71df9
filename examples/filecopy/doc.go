// Filecopy copies a file with Linux AIO: many blocks are read and written at a time, past the page cache where the
// file systems allow it (O_DIRECT). It shows progress, can be interrupted and resumed, and reads the copy back to
// compare checksums before the copy gets its name. Try
//
//	go run ./examples/filecopy -h
//
// The destination is DEST.part until it is complete and verified, and DEST.part.resume says how far it is, so that
// DEST is never half a file. What an interrupted copy has hashed and written is not read again: the state of SHA-256
// is saved with it.
//
// It needs Linux AIO (io_setup(2)), not io_uring; where that is refused it says why.
package main
