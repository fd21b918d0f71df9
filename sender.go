package uring

// Sender is written next.
type Sender struct{}

func (r *Ring) closeSenders() {}

const ioLenMax = 0x7ffff000
