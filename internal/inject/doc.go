// Command inject drives the library while strace(1) has system calls fail, and holds that what comes of it is what the
// library promises. Nothing imports it.
//
// For each driver (Ring with Sender, socketops on each backend, compat_aio) it starts a process that does the driver's
// work, once undisturbed, and then once for each call, error and pattern, each time with a new strace attached. The
// process itself looks at what the library does: at each byte, at the number of callbacks, at the form of errors, at
// the time that Close takes, at processor time and system calls while nothing happens, and, with strace gone, at
// descriptors, mappings and goroutines that are left. A combination that breaks a promise is told with the command that
// repeats it, and the exit status is 1.
package main
