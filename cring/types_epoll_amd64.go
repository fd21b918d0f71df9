package cring

// EpollEvent mirrors struct epoll_event, which is packed on x86-64 and only there.
type EpollEvent struct {
	Events uint32
	Data   [2]uint32 // epoll_data_t, low half first
}
