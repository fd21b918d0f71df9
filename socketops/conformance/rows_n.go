//go:build linux

package conformance

import "slices"

// nestedRows are the nested behaviours of part A.
func nestedRows() []Row {
	return slices.Concat(nestedRows01(), nestedRows11(), nestedRows21(), nestedRows31(), nestedRows41(), nestedRows51())
}

// nestedRows01 are N01 to N10.
func nestedRows01() []Row {
	return []Row{
		{
			ID: "N01", Title: "which families, types and protocols there are", Way: Call,
			Names: []string{"Engine.Socket", "Engine.RawSocket"}, Test: nProtocolTable,
		},
		{
			ID: "N02", Title: "descriptors are closed on exec from the start", Way: Call,
			Names: []string{"Engine.Socket", "Engine.RawSocket", "Engine.SocketPair", "Socket.Accept", "Socket.Disconnect"},
			Test:  nCloseOnExec,
		},
		{
			ID: "N03", Title: "sockets of IPv6 take IPv6 only at first", Way: Call,
			Names: []string{"Engine.Socket", "Engine.RawSocket", "Engine.FromFD", "Socket.V6Only"}, Test: nV6OnlyAtFirst,
		},
		{
			ID: "N04", Title: "dual mode, of IPv6 alone, as it was asked for", Way: Call,
			Names: []string{"Socket.SetDualMode", "Socket.DualMode"}, Test: nDualMode,
		},
		{
			ID: "N05", Title: "signals interrupt nothing", Way: Native,
			Names: []string{"Socket.Recv", "Socket.GoSend", "Socket.Accept", "Socket.Connect", "Socket.Poll"},
			Test:  nInterrupted,
		},
		{
			ID: "N06", Title: "flags that a transfer takes", Way: NoKernel,
			Names: []string{"Socket.TryRecv", "Socket.TrySend"}, Test: nFlagsIn,
		},
		{
			ID: "N07", Title: "flags that a receive reports", Way: Native,
			Names: []string{"Socket.RecvFrom", "Socket.RecvMsg", "Socket.Recvv"}, Test: nFlagsOut,
		},
		{
			ID: "N08", Title: "more buffers than the kernel takes at once", Way: Native,
			Names: []string{"Socket.Sendv", "Socket.TrySendv", "Socket.TryRecvv"}, Test: nManySegments,
		},
		{
			ID: "N09", Title: "nothing to transfer is no null pointer", Way: Native,
			Names: []string{"Socket.Send", "Socket.Sendv", "Socket.SendTo", "Socket.Recv", "Socket.Recvv"},
			Test:  nNullPointers,
		},
		{
			ID: "N10", Title: "an error behind a part that was sent", Way: Native,
			Names: []string{"Socket.TrySendv", "Socket.Sendv"}, Test: nSwallowedError,
		},
	}
}

// nestedRows11 are N11 to N20.
func nestedRows11() []Row {
	return []Row{
		{
			ID: "N11", Title: "a send that does not wait sends a part", Way: NoKernel,
			Names: []string{"Socket.SetBlocking", "Socket.Send"}, Test: nNonBlockingSend,
		},
		{
			ID: "N12", Title: "a send that waits sends all", Way: Native,
			Names: []string{"Socket.Send"}, Test: nWholeSend,
		},
		{
			ID: "N13", Title: "an error is not taken for a time-out", Way: Native,
			Names: []string{"Socket.Sendv", "Socket.GoSend"}, Test: nErrorNotTimeout,
		},
		{
			ID: "N14", Title: "one time-out for the whole send", Way: Native,
			Names: []string{"Socket.Send", "Socket.SetWriteTimeout"}, Test: nSendTimeout,
		},
		{
			ID: "N15", Title: "a receive of nothing waits and takes nothing", Way: Native,
			Names: []string{"Socket.Recv", "Socket.TryRecv", "Socket.RecvReady"}, Test: nEmptyReceive,
		},
		{
			ID: "N16", Title: "packet information of both versions", Way: Polled,
			Names: []string{"Socket.RecvMsg"}, Test: nPacketInfoOfBoth,
		},
		{
			ID: "N17", Title: "packet information from the first use on", Way: Call,
			Names: []string{"Socket.RecvMsg", "Socket.TryRecvMsg", "Socket.SetRecvPacketInfo"},
			Test:  nPacketInfoFromFirstUse,
		},
		{
			ID: "N18", Title: "option names that Linux does not have", Way: Call,
			Names: []string{"Socket.OptionInt", "Socket.SetOptionInt", "Socket.OptionBytes", "Socket.SetOptionBytes"},
			Test:  nOptionNames,
		},
		{
			ID: "N19", Title: "what Poll and Select take for ready", Way: Polled,
			Names: []string{"Socket.Poll", "Engine.Select"}, Test: nPollModes,
		},
		{
			ID: "N20", Title: "how long Poll and Select wait", Way: Polled,
			Names: []string{"Socket.Poll", "Engine.Select"}, Test: nPollTimes,
		},
	}
}

// nestedRows21 are N21 to N30.
func nestedRows21() []Row {
	return []Row{
		{
			ID: "N21", Title: "signals do not prolong a wait", Way: Polled,
			Names: []string{"Socket.Poll", "Engine.Select"}, Test: nPollTimesInterrupted,
		},
		{
			ID: "N22", Title: "time-outs are not for accept and connect", Way: Polled,
			Names: []string{"Socket.Accept", "Socket.Connect"}, Test: nNoTimeouts,
		},
		{
			ID: "N23", Title: "values of time-outs", Way: Call,
			Names: []string{"Socket.SetReadTimeout", "Socket.SetWriteTimeout", "Socket.SetOptionInt"},
			Test:  nTimeoutValues,
		},
		{
			ID: "N24", Title: "the user's flag of blocking and the descriptor's", Way: NoKernel,
			Names: []string{"Socket.SetBlocking", "Socket.Blocking", "Socket.Fd", "Engine.FromFD"}, Test: nKernelMode,
		},
		{
			ID: "N25", Title: "descriptors that are no sockets", Way: Call, Names: []string{"Engine.FromFD"}, Test: nNotSockets,
		},
		{
			ID: "N26", Title: "a TCP server can start again", Way: Call,
			Names: []string{"Socket.Bind"}, Test: nReuseBeforeBind,
		},
		{
			ID: "N27", Title: "reuse and exclusive use of addresses", Way: Call,
			Names: []string{"Socket.SetReuseAddress", "Socket.ReuseAddress", "Socket.SetExclusiveAddressUse"},
			Test:  nReuse,
		},
		{
			ID: "N28", Title: "not to fragment", Way: Call,
			Names: []string{"Socket.SetDontFragment", "Socket.DontFragment"}, Test: nDontFragment,
		},
		{
			ID: "N29", Title: "the type as an option", Way: Call,
			Names: []string{"Socket.OptionInt", "Socket.OptionBytes"}, Test: nTypeOption,
		},
		{
			ID: "N30", Title: "the error as an option, at any level", Way: Call,
			Names: []string{"Socket.OptionInt", "Socket.SocketError"}, Test: nErrorOption,
		},
	}
}

// nestedRows31 are N31 to N40.
func nestedRows31() []Row {
	return []Row{
		{
			ID: "N31", Title: "fast open is a wish", Way: Call,
			Names: []string{"Socket.SetFastOpen", "Socket.FastOpen", "Socket.OptionInt"}, Test: nFastOpenOption,
		},
		{
			ID: "N32", Title: "connecting with data", Way: Polled,
			Names: []string{"Socket.ConnectData"}, Test: nConnectData,
		},
		{
			ID: "N33", Title: "sending a file", Way: Polled,
			Names: []string{"Socket.SendFile", "Socket.TrySendFile", "Socket.GoSendFile"}, Test: nSendFile,
		},
		{
			ID: "N34", Title: "options that another descriptor takes over", Way: NoKernel,
			Names: []string{"Socket.Exposed"}, Test: nTrackedOptions,
		},
		{
			ID: "N35", Title: "another descriptor is like the first", Way: Call,
			Names: []string{"Socket.ConnectAny", "Socket.Disconnect"}, Test: nReplacedOptions,
		},
		{
			ID: "N36", Title: "disconnecting for reuse makes a new socket", Way: Call,
			Names: []string{"Socket.Disconnect"}, Test: nDisconnectForReuse,
		},
		{
			ID: "N37", Title: "shutting down what is not connected any more", Way: Call,
			Names: []string{"Socket.Shutdown"}, Test: nShutdownNotConnected,
		},
		{
			ID: "N38", Title: "what is connected after an error", Way: NoKernel,
			Names: []string{"Socket.Connected"}, Test: nStatusAfterError,
		},
		{
			ID: "N39", Title: "one error after Close and of what it ends", Way: NoKernel,
			Names: []string{"Socket.Close", "Classify"}, Test: nClosed,
		},
		{
			ID: "N40", Title: "a broken connection is EPIPE and no signal", Way: Native,
			Names: []string{"Socket.Send", "Socket.Sendv", "Socket.SendFile", "Socket.GoSend", "Socket.GoSendvTo"},
			Test:  nBrokenPipe,
		},
	}
}

// nestedRows41 are N41 to N50.
func nestedRows41() []Row {
	return []Row{
		{
			ID: "N41", Title: "accepting without an address", Way: Polled,
			Names: []string{"Socket.Accept", "Socket.TryAccept", "Socket.Listener"}, Test: nAcceptWithoutAddress,
		},
		{
			ID: "N42", Title: "an accepted socket inherits its local address alone", Way: Polled,
			Names: []string{"Socket.Accept"}, Test: nAcceptedSocket,
		},
		{
			ID: "N43", Title: "a unix socket whose queue is full", Way: Polled,
			Names: []string{"Socket.Connect", "Socket.TryConnect"}, Test: nFullBacklog,
		},
		{
			ID: "N44", Title: "a path where no socket is", Way: Call,
			Names: []string{"Socket.Connect", "Socket.TryConnect", "Classify"}, Test: nMissingPath,
		},
		{
			ID: "N45", Title: "broadcasts have to be allowed", Way: Call,
			Names: []string{"Socket.SendTo", "Socket.TrySendTo", "Socket.LocalAddr"}, Test: nBroadcast,
		},
		{
			ID: "N46", Title: "sending and connecting bind", Way: Call,
			Names: []string{"Socket.SendTo", "Socket.Connect", "Socket.LocalAddr"}, Test: nImplicitBind,
		},
		{
			ID: "N47", Title: "the local address is that of the kernel", Way: Call,
			Names: []string{"Socket.LocalAddr"}, Test: nLocalAddress,
		},
		{
			ID: "N48", Title: "messages that are too long, and a look at them", Way: Polled,
			Names: []string{"Socket.RecvFrom", "Socket.Recv"}, Test: nTruncated,
		},
		{
			ID: "N49", Title: "every receive with flags returns them", Way: Polled,
			Names: []string{"Socket.RecvFrom", "Socket.TryRecvFrom", "Socket.Recvv", "Socket.RecvMsg", "Socket.GoRecvMsg"},
			Test:  nFlagsAreReturned,
		},
		{
			ID: "N50", Title: "Close ends whatever waits, and with it the connection", Way: Call,
			Names: []string{"Socket.Close"}, Test: nCloseWakes,
		},
	}
}

// nestedRows51 are N51 to N60.
func nestedRows51() []Row {
	return []Row{
		{
			ID: "N51", Title: "Close that cuts something off resets the connection", Way: Call,
			Names: []string{"Socket.Close", "Socket.Shutdown"}, Test: nAbortiveClose,
		},
		{
			ID: "N52", Title: "Close that lingers", Way: Call,
			Names: []string{"Socket.Close", "Socket.SetLinger"}, Test: nLingeringClose,
		},
		{
			ID: "N53", Title: "Close removes the path of a unix socket", Way: Call,
			Names: []string{"Socket.Bind", "Socket.Close", "Socket.SetUnlinkOnClose"}, Test: nPathIsRemoved,
		},
		{
			ID: "N54", Title: "forms of the interface of multicasts", Way: Call,
			Names: []string{
				"Socket.SetMulticastInterface4", "Socket.SetMulticastInterface4Addr", "Socket.SetMulticastInterface6",
			},
			Test: nMulticastInterface,
		},
		{
			ID: "N55", Title: "which error comes first", Way: NoKernel,
			Names: []string{"Socket.Recv", "Socket.Send", "Socket.SendPackets"}, Test: nOrderOfErrors,
		},
		{
			ID: "N56", Title: "a stream of TCP says no address", Way: Polled,
			Names: []string{"Socket.RecvFrom", "Socket.TryRecvFrom", "Socket.RecvMsg"}, Test: nNoAddressOfAStream,
		},
		{
			ID: "N57", Title: "addresses of IPv4 on sockets of IPv6", Way: Call,
			Names: []string{"Socket.SendTo", "Socket.RecvFrom", "Socket.Connect", "Socket.PeerAddr"}, Test: nFamilies,
		},
		{
			ID: "N58", Title: "transfers of a direction keep their order", Way: Native,
			Names: []string{"Socket.GoRecv", "Socket.GoSend"}, Test: nOrder,
		},
		{
			ID: "N59", Title: "time-outs are kept by the library", Way: NoKernel,
			Names: []string{"Socket.SetReadTimeout", "Socket.SetWriteTimeout"}, Test: nTimeoutsAreTheLibrarys,
		},
		{
			ID: "N60", Title: "a receive of nothing leaves a datagram", Way: Native,
			Names: []string{"Socket.GoRecv", "Socket.Recv"}, Test: nEmptyReceiveTakesNothing,
		},
	}
}
