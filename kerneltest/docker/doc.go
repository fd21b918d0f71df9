// Command docker runs the tests of all packages in Docker containers, as they are deployed: under seccomp profiles
// that refuse io_uring, as Docker's own does from version 25 on, as a plain user, without capabilities, read-only,
// and with little locked memory. Its table says which engine the library chose in each and why. It fails where that
// is not the engine to be expected, where a test fails, and where a package prints no result.
//
// The programs are those of the kernel matrix, linked statically, so that any image serves that has /tmp. Nothing of
// the network is used, and the repository is mounted read-only.
package main
