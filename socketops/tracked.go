//go:build linux

package socketops

import "errors"

// options is what a socket remembers of the options that were set, so that another descriptor can take its place.
type options struct {
	set     []setOption // in the order in which they were set, each once
	exposed bool        // something was done that is not remembered
}

// setOption is an option that was set.
type setOption struct {
	key   optionKey
	apply func(fd int) error // sets on a descriptor what was asked for, which is not what the kernel tells of it
}

// trackedOptions are those that a socket remembers (N34): what the managed runtimes do, less what Linux does not have
// and what can be read only.
var trackedOptions = map[optionKey]bool{
	{LevelSocket, OptDebug}:               true,
	{LevelSocket, OptReuseAddress}:        true,
	{LevelSocket, OptKeepAlive}:           true,
	{LevelSocket, OptDontRoute}:           true,
	{LevelSocket, OptLinger}:              true,
	{LevelSocket, OptOutOfBandInline}:     true,
	{LevelSocket, OptExclusiveAddressUse}: true,
	{LevelSocket, OptSendBuffer}:          true,
	{LevelSocket, OptReceiveBuffer}:       true,
	{LevelSocket, OptReceiveLowWater}:     true,
	{LevelSocket, OptSendTimeout}:         true,
	{LevelSocket, OptReceiveTimeout}:      true,
	{LevelIP, OptTypeOfService}:           true,
	{LevelIP, OptIPTimeToLive}:            true,
	{LevelIPv6, OptIPv6Only}:              true,
	{LevelTCP, OptNoDelay}:                true,
	{LevelTCP, OptTCPKeepAliveIdle}:       true,
	{LevelTCP, OptTCPKeepAliveInterval}:   true,
	{LevelTCP, OptTCPKeepAliveCount}:      true,
	{LevelTCP, OptFastOpen}:               true,
}

// applyOption sets an option, and remembers it where that worked. mu is held meanwhile, and the descriptor looked up
// under it: a descriptor that takes this one's place gets the option from replay, or by itself.
func (s *Socket) applyOption(k optionKey, apply func(fd int) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control("setsockopt", apply)
	if err == nil {
		s.state.options.remember(k, apply)
	}
	return err
}

// remember notes that an option was set. The last of those that say the same thing differently counts, so the order is
// kept.
func (o *options) remember(k optionKey, apply func(fd int) error) {
	if !trackedOptions[k] {
		o.exposed = true
		return
	}
	for i, known := range o.set {
		if known.key == k {
			o.set = append(o.set[:i], o.set[i+1:]...)
			break
		}
	}
	o.set = append(o.set, setOption{k, apply})
}

// Exposed reports whether something was done to the socket's descriptor that another would not take over: an option
// was set that is not remembered, such as SetBroadcast or one by SetRawOption, or the descriptor was handed out by
// Fd. A connect that tries several addresses refuses such a socket, and a Disconnect for reuse loses what was set so.
func (s *Socket) Exposed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.options.exposed
}

// Fd returns the descriptor, which stays the socket's: it is valid until Close, or a Disconnect for reuse. It is in
// non-blocking mode, and the socket is Exposed from then on.
func (s *Socket) Fd() (fd int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.control("fd", func(current int) error {
		fd = current
		return nil
	})
	if err != nil {
		return -1, err
	}
	s.state.options.exposed = true
	return fd, nil
}

// replay sets on a descriptor that takes the place of the socket's what was set on that, as it was asked for: the
// kernel tells of a buffer twice the size (G08). The descriptor is the current one already, or an option that is set
// at the same time can be lost. Options that fail do not keep the others from being set.
func (s *Socket) replay(fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, o := range s.state.options.set {
		errs = append(errs, o.apply(fd))
	}
	if s.packetInfo.Load() == packetInfoOn {
		errs = append(errs, s.tellPacketInfo(fd, true))
	}
	return opError("setsockopt", errors.Join(errs...))
}
