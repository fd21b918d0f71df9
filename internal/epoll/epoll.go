// Package epoll waits for many descriptors at once without holding a thread: its Poller is an epoll instance that the
// runtime's poller waits for, as an epoll instance is readable when it has something to tell (epoll(7)).
package epoll

import "time"

// most is how many events are taken at a time.
const most = 128

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)
