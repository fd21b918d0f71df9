// Package goroutine tells goroutines apart at the cost of a few instructions, where gettid(2) would cost a system
// call. A ring's owner is checked on every submission, and a submission may be as short as some microseconds.
package goroutine
