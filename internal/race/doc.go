// Package race tells Go's race detector what the kernel does to memory on the library's behalf.
//
// The detector instruments Go code only. What the kernel reads from a buffer or writes into one while a
// request is in flight is invisible to it: a test under -race stays silent even when the application
// overwrites a buffer that is being sent. So the library announces these accesses itself, as
// syscall.Read does for its own:
//
//   - ReadRange where the kernel reads memory (send, write, arguments), WriteRange where the kernel
//     writes it (receive, read, results);
//   - Release when memory is handed to the kernel (submit) and Acquire when it comes back (the terminal
//     completion), both on one address that stands for the request, so that what one goroutine did
//     before submitting is ordered before what another one does after reaping.
//
// Without the build tag race, which go build -race sets, every function is empty and costs nothing.
//
// The detector watches the Go heap and the data segments only. Addresses elsewhere (anonymous mappings,
// C memory) may be passed to every function and are ignored by the runtime.
package race
