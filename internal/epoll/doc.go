// Package epoll waits for many descriptors at once without holding a thread: its Poller is an epoll instance that the
// runtime's poller waits for, as an epoll instance is readable when it has something to tell (epoll(7)).
package epoll
