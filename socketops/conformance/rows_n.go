//go:build linux

package conformance

// nestedRows are the nested behaviours of part A.
func nestedRows() []Row {
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
			Names: []string{"MsgFlags", "Socket.TryRecv", "Socket.TrySend"}, Test: nFlagsIn,
		},
		{
			ID: "N07", Title: "flags that a receive reports", Way: Native,
			Names: []string{"MsgFlags", "Socket.RecvFrom", "Socket.RecvMsg", "Socket.Recvv"}, Test: nFlagsOut,
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
			ID: "N24", Title: "the user's flag of blocking and the descriptor's", Way: NoKernel,
			Names: []string{"Socket.SetBlocking", "Socket.Blocking", "Socket.Fd", "Engine.FromFD"}, Test: nKernelMode,
		},
		{
			ID: "N25", Title: "descriptors that are no sockets", Way: Call, Names: []string{"Engine.FromFD"}, Test: nNotSockets,
		},
		{
			ID: "N41", Title: "accepting without an address", Way: Polled,
			Names: []string{"Socket.Accept", "Socket.TryAccept", "Socket.Listener"}, Test: nAcceptWithoutAddress,
		},
		{
			ID: "N42", Title: "an accepted socket inherits its local address alone", Way: Polled,
			Names: []string{"Socket.Accept"}, Test: nAcceptedSocket,
		},
		{
			ID: "N39", Title: "one error after Close and of what it ends", Way: NoKernel,
			Names: []string{"Socket.Close", "ErrClosed", "Classify"}, Test: nClosed,
		},
		{
			ID: "N40", Title: "a broken connection is EPIPE and no signal", Way: Native,
			Names: []string{"Socket.Send", "Socket.Sendv", "Socket.SendFile", "Socket.GoSend", "Socket.GoSendvTo"},
			Test:  nBrokenPipe,
		},
		{
			ID: "N50", Title: "Close ends whatever waits, and with it the connection", Way: Call,
			Names: []string{"Socket.Close"}, Test: nCloseWakes,
		},
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
	}
}
