//go:build linux

package socketops

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Level is what an Option belongs to.
type Level int

// The levels.
const (
	LevelSocket Level = iota + 1 // SOL_SOCKET
	LevelIP                      // IPPROTO_IP
	LevelIPv6                    // IPPROTO_IPV6
	LevelTCP                     // IPPROTO_TCP
	LevelUDP                     // IPPROTO_UDP
)

// Option is the name of an option, as the managed runtimes know it: the numbers are this package's own. Some mean
// something at several levels. See RawOption for whatever else the kernel has.
type Option int

// The options of LevelSocket. Those that Linux does not have are EOPNOTSUPP.
const (
	OptDebug               Option = iota + 1 // SO_DEBUG, which takes CAP_NET_ADMIN
	OptAcceptConnection                      // SO_ACCEPTCONN, to be read only
	OptReuseAddress                          // SO_REUSEPORT and SO_REUSEADDR: see SetReuseAddress
	OptKeepAlive                             // SO_KEEPALIVE
	OptDontRoute                             // SO_DONTROUTE
	OptBroadcast                             // SO_BROADCAST
	OptLinger                                // SO_LINGER
	OptOutOfBandInline                       // SO_OOBINLINE
	OptSendBuffer                            // SO_SNDBUF, of which the kernel sets twice the value
	OptReceiveBuffer                         // SO_RCVBUF, as OptSendBuffer
	OptSendLowWater                          // SO_SNDLOWAT, to be read only
	OptReceiveLowWater                       // SO_RCVLOWAT
	OptSendTimeout                           // SO_SNDTIMEO, as a number in milliseconds
	OptReceiveTimeout                        // SO_RCVTIMEO, as a number in milliseconds
	OptError                                 // SO_ERROR, to be read only, at any level
	OptType                                  // SO_TYPE, to be read only
	OptExclusiveAddressUse                   // the opposite of OptReuseAddress
	OptUseLoopback                           // not on Linux
	OptDontLinger                            // not on Linux
	OptMaxConnections                        // not on Linux
)

// The options of LevelIP, and of LevelIPv6 where that has a name.
const (
	OptIPOptions            Option = iota + 101 // IP_OPTIONS
	OptHeaderIncluded                           // IP_HDRINCL
	OptTypeOfService                            // IP_TOS
	OptIPTimeToLive                             // IP_TTL; IPV6_UNICAST_HOPS
	OptMulticastInterface                       // IP_MULTICAST_IF; IPV6_MULTICAST_IF
	OptMulticastTimeToLive                      // IP_MULTICAST_TTL; IPV6_MULTICAST_HOPS
	OptMulticastLoopback                        // IP_MULTICAST_LOOP; IPV6_MULTICAST_LOOP
	OptAddMembership                            // IP_ADD_MEMBERSHIP
	OptDropMembership                           // IP_DROP_MEMBERSHIP
	OptDontFragment                             // IP_MTU_DISCOVER: 1 is IP_PMTUDISC_DO, 0 is IP_PMTUDISC_DONT
	OptAddSourceMembership                      // IP_ADD_SOURCE_MEMBERSHIP
	OptDropSourceMembership                     // IP_DROP_SOURCE_MEMBERSHIP
	OptBlockSource                              // IP_BLOCK_SOURCE
	OptUnblockSource                            // IP_UNBLOCK_SOURCE
	OptPacketInformation                        // IP_PKTINFO; IPV6_RECVPKTINFO
	OptHopLimit                                 // IPV6_HOPLIMIT, which the kernel knows in control data only
	OptIPv6Only                                 // IPV6_V6ONLY
	OptIPProtectionLevel                        // not on Linux
)

// The options of LevelTCP.
const (
	OptNoDelay              Option = iota + 201 // TCP_NODELAY
	OptTCPKeepAliveCount                        // TCP_KEEPCNT
	OptTCPKeepAliveIdle                         // TCP_KEEPIDLE, in seconds
	OptTCPKeepAliveInterval                     // TCP_KEEPINTVL, in seconds
	OptFastOpen                                 // TCP_FASTOPEN, of listening sockets the length of the queue
	OptBSDUrgent                                // not on Linux
	OptExpedited                                // not on Linux
)

// The options of LevelUDP, none of which Linux has.
const (
	OptNoChecksum Option = iota + 301
	OptChecksumCoverage
	OptUpdateAcceptContext
	OptUpdateConnectContext
)

// optionKey is an option of a level.
type optionKey struct {
	level Level
	name  Option
}

// kernelOption is an option as setsockopt(2) knows it.
type kernelOption struct{ level, name int }

// kernelOptions has the options that Linux has (N18).
var kernelOptions = map[optionKey]kernelOption{
	{LevelSocket, OptDebug}:               {unix.SOL_SOCKET, unix.SO_DEBUG},
	{LevelSocket, OptAcceptConnection}:    {unix.SOL_SOCKET, unix.SO_ACCEPTCONN},
	{LevelSocket, OptReuseAddress}:        {unix.SOL_SOCKET, unix.SO_REUSEPORT},
	{LevelSocket, OptKeepAlive}:           {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{LevelSocket, OptDontRoute}:           {unix.SOL_SOCKET, unix.SO_DONTROUTE},
	{LevelSocket, OptBroadcast}:           {unix.SOL_SOCKET, unix.SO_BROADCAST},
	{LevelSocket, OptLinger}:              {unix.SOL_SOCKET, unix.SO_LINGER},
	{LevelSocket, OptOutOfBandInline}:     {unix.SOL_SOCKET, unix.SO_OOBINLINE},
	{LevelSocket, OptSendBuffer}:          {unix.SOL_SOCKET, unix.SO_SNDBUF},
	{LevelSocket, OptReceiveBuffer}:       {unix.SOL_SOCKET, unix.SO_RCVBUF},
	{LevelSocket, OptSendLowWater}:        {unix.SOL_SOCKET, unix.SO_SNDLOWAT},
	{LevelSocket, OptReceiveLowWater}:     {unix.SOL_SOCKET, unix.SO_RCVLOWAT},
	{LevelSocket, OptSendTimeout}:         {unix.SOL_SOCKET, unix.SO_SNDTIMEO},
	{LevelSocket, OptReceiveTimeout}:      {unix.SOL_SOCKET, unix.SO_RCVTIMEO},
	{LevelSocket, OptError}:               {unix.SOL_SOCKET, unix.SO_ERROR},
	{LevelSocket, OptType}:                {unix.SOL_SOCKET, unix.SO_TYPE},
	{LevelSocket, OptExclusiveAddressUse}: {unix.SOL_SOCKET, unix.SO_REUSEPORT},

	{LevelIP, OptIPOptions}:            {unix.IPPROTO_IP, unix.IP_OPTIONS},
	{LevelIP, OptHeaderIncluded}:       {unix.IPPROTO_IP, unix.IP_HDRINCL},
	{LevelIP, OptTypeOfService}:        {unix.IPPROTO_IP, unix.IP_TOS},
	{LevelIP, OptIPTimeToLive}:         {unix.IPPROTO_IP, unix.IP_TTL},
	{LevelIP, OptMulticastInterface}:   {unix.IPPROTO_IP, unix.IP_MULTICAST_IF},
	{LevelIP, OptMulticastTimeToLive}:  {unix.IPPROTO_IP, unix.IP_MULTICAST_TTL},
	{LevelIP, OptMulticastLoopback}:    {unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP},
	{LevelIP, OptAddMembership}:        {unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP},
	{LevelIP, OptDropMembership}:       {unix.IPPROTO_IP, unix.IP_DROP_MEMBERSHIP},
	{LevelIP, OptDontFragment}:         {unix.IPPROTO_IP, unix.IP_MTU_DISCOVER},
	{LevelIP, OptAddSourceMembership}:  {unix.IPPROTO_IP, unix.IP_ADD_SOURCE_MEMBERSHIP},
	{LevelIP, OptDropSourceMembership}: {unix.IPPROTO_IP, unix.IP_DROP_SOURCE_MEMBERSHIP},
	{LevelIP, OptBlockSource}:          {unix.IPPROTO_IP, unix.IP_BLOCK_SOURCE},
	{LevelIP, OptUnblockSource}:        {unix.IPPROTO_IP, unix.IP_UNBLOCK_SOURCE},
	{LevelIP, OptPacketInformation}:    {unix.IPPROTO_IP, unix.IP_PKTINFO},

	{LevelIPv6, OptHopLimit}:            {unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT},
	{LevelIPv6, OptIPv6Only}:            {unix.IPPROTO_IPV6, unix.IPV6_V6ONLY},
	{LevelIPv6, OptPacketInformation}:   {unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO},
	{LevelIPv6, OptMulticastInterface}:  {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF},
	{LevelIPv6, OptMulticastLoopback}:   {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP},
	{LevelIPv6, OptMulticastTimeToLive}: {unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS},
	{LevelIPv6, OptIPTimeToLive}:        {unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS},

	{LevelTCP, OptNoDelay}:              {unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{LevelTCP, OptTCPKeepAliveCount}:    {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	{LevelTCP, OptTCPKeepAliveIdle}:     {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{LevelTCP, OptTCPKeepAliveInterval}: {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{LevelTCP, OptFastOpen}:             {unix.IPPROTO_TCP, unix.TCP_FASTOPEN},
}

// kernel returns the option as the kernel knows it, or an UnsupportedError, which is EOPNOTSUPP, without asking it.
func (k optionKey) kernel() (kernelOption, error) {
	o, ok := kernelOptions[k]
	if !ok {
		return o, &UnsupportedError{What: fmt.Sprintf("%v of %v", k.name, k.level), Why: "Linux has no such option"}
	}
	return o, nil
}

var levelNames = [...]string{"", "LevelSocket", "LevelIP", "LevelIPv6", "LevelTCP", "LevelUDP"}

func (l Level) String() string {
	if l < LevelSocket || l > LevelUDP {
		return "level " + strconv.Itoa(int(l))
	}
	return levelNames[l]
}

// missingNames has the options that Linux does not have, which error messages name.
var missingNames = map[Option]string{
	OptUseLoopback:          "OptUseLoopback",
	OptDontLinger:           "OptDontLinger",
	OptMaxConnections:       "OptMaxConnections",
	OptIPProtectionLevel:    "OptIPProtectionLevel",
	OptBSDUrgent:            "OptBSDUrgent",
	OptExpedited:            "OptExpedited",
	OptNoChecksum:           "OptNoChecksum",
	OptChecksumCoverage:     "OptChecksumCoverage",
	OptUpdateAcceptContext:  "OptUpdateAcceptContext",
	OptUpdateConnectContext: "OptUpdateConnectContext",
}

func (o Option) String() string {
	if name, ok := missingNames[o]; ok {
		return name
	}
	return "option " + strconv.Itoa(int(o))
}

// IOControlCode is what IOControl is asked for. The numbers are those that the managed runtimes use everywhere, and
// not the kernel's.
type IOControlCode uint32

// The codes that IOControl knows.
const (
	IOControlFIONBIO    IOControlCode = 0x8004667e // refused: SetBlocking does that
	IOControlFIONREAD   IOControlCode = 0x4004667f // as Available
	IOControlSIOCATMARK IOControlCode = 0x40047307 // as AtOutOfBandMark: 1 or 0
)

// IOControl wraps ioctl(2): it asks for a number, which it puts into the first 4 bytes of out as the machine orders
// them, and returns that these are 4. What is in in does not matter. Less than 4 bytes of out are EFAULT,
// IOControlFIONBIO is ErrBlockingMode, and what is not among the codes is EOPNOTSUPP, all without asking the kernel
// (A59).
func (s *Socket) IOControl(code IOControlCode, in, out []byte) (int, error) {
	n, err := s.ioControl(code, out)
	if err != nil {
		return 0, err
	}
	binary.NativeEndian.PutUint32(out, uint32(n))
	return 4, nil
}

func (s *Socket) ioControl(code IOControlCode, out []byte) (int, error) {
	switch code {
	case IOControlFIONREAD, IOControlSIOCATMARK:
	case IOControlFIONBIO:
		return 0, s.invalid("ioctl", ErrBlockingMode)
	default:
		what := fmt.Sprintf("IOControl of %#x", uint32(code))
		return 0, s.invalid("ioctl", &UnsupportedError{What: what, Why: "the numbers are not the kernel's"})
	}
	if len(out) < 4 {
		return 0, s.invalid("ioctl", unix.EFAULT)
	}
	if code == IOControlFIONREAD {
		return s.Available()
	}
	at, err := s.AtOutOfBandMark()
	return asInt(at), err
}
