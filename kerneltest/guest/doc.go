// Command guest is the first process of a guest of the kernel matrix. It makes the kernel's file systems
// available, sets the mode that the kernel command line names, runs the test binaries of its plan, tells the host
// of it all through a serial port, and powers off. It is of no use anywhere else.
package main
