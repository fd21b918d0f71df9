//go:build linux

package conformance

import (
	"context"
	"slices"

	"github.com/sockring/uring/socketops"
)

// memberRows are part A: the members of the platform layer.
func memberRows() []Row {
	return slices.Concat(fieldRows(), callRows(), tryRows(), stateRows(), plainSendRows(), plainReceiveRows(),
		setOptionRows(), getOptionRows(), waitRows(), endRows())
}

func fieldRows() []Row { // A01 to A10
	return []Row{
		{
			ID: "A01", Title: "one descriptor for each address that is tried", Way: Polled,
			Names: []string{"Socket.ConnectAny"}, Test: eachAddressOnANewDescriptor,
		},
		{
			ID: "A02", Title: "the size of the largest address", Way: NoKernel,
			Names: []string{"MaxAddrLen", "RawAddr", "UnixAddr"}, Test: addressesFit,
		},
		{
			ID: "A03", Title: "packet information of IPv4 in dual mode is there", Way: Call,
			Names: []string{"Socket.RecvMsg", "Socket.SetDualMode"}, Test: dualModeTells(false),
		},
		{
			ID: "A04", Title: "select works by poll", Way: Looked,
			Names: []string{"Engine.Select"}, Test: selectKnowsAnyDescriptor,
		},
		{
			ID: "A05", Title: "lists of few buffers and of many", Way: Polled,
			Names: []string{"Socket.Sendv", "Socket.Recvv"}, Test: listsOfAnyLengthWork,
		},
		{
			ID: "A06", Title: "whether dual mode has packet information of IPv4", Way: Call,
			Names: []string{"Socket.SetRecvPacketInfo"}, Test: dualModeTells(true),
		},
		{
			ID: "A07", Title: "the class of an errno", Way: NoKernel,
			Names: []string{"Classify", "ErrorClass.Errno", "ErrorClass.String"}, Test: errorsHaveOneClass,
		},
		{
			ID: "A08", Title: "packet information of dual mode is never missing", Way: Call,
			Names: []string{"Socket.SetRecvPacketInfo", "Socket.TryRecvMsg"}, Test: packetInfoIsNeverMissing,
		},
		{
			ID: "A09", Title: "packet information out of control data", Way: NoKernel,
			Names: []string{"Socket.RecvMsg", "PacketInfo"}, Test: packetsTellTheirWay,
		},
		{
			ID: "A10", Title: "make a socket", Way: Call,
			Names: []string{"Engine.Socket", "Engine.RawSocket"}, Test: socketsAreMade,
		},
	}
}

func callRows() []Row { // A11 to A22
	const only = "a Socket is a socket, and FromFD refuses other descriptors with ENOTSOCK"
	return []Row{
		{
			ID: "A11", Title: "read what is no socket", Way: Nowhere, Unsupported: only,
			Names: []string{"Engine.FromFD"}, Test: onlySocketsAreRead,
		},
		{
			ID: "A12", Title: "recv: one buffer", Way: Native,
			Names: []string{"Socket.Recv", "Socket.TryRecv"}, Test: bytesAreReceived,
		},
		{
			ID: "A13", Title: "recvmsg: one buffer, and from whom", Way: Polled,
			Names: []string{"Socket.RecvFrom", "Socket.TryRecvFrom"}, Test: sendersAreTold,
		},
		{
			ID: "A14", Title: "write what is no socket", Way: Nowhere, Unsupported: only,
			Names: []string{"Engine.FromFD"}, Test: onlySocketsAreWritten,
		},
		{
			ID: "A15", Title: "nothing is not a null pointer", Way: NoKernel,
			Names: []string{"Socket.TrySend", "Socket.TrySendv", "Socket.TrySendTo"}, Test: nothingIsNotNull,
		},
		{
			ID: "A16", Title: "send: one buffer", Way: Native,
			Names: []string{"Socket.Send", "Socket.TrySend"}, Test: bytesAreSent,
		},
		{
			ID: "A17", Title: "sendmsg: one buffer to an address", Way: Polled,
			Names: []string{"Socket.SendTo", "Socket.TrySendTo"}, Test: datagramsFindTheirWay,
		},
		{
			ID: "A18", Title: "sendmsg: a list of buffers", Way: Polled,
			Names: []string{"Socket.TrySendv", "Socket.Sendv"}, Test: listsAreSentOnce,
		},
		{
			ID: "A19", Title: "sendfile: a part of a file", Way: Polled,
			Names: []string{"Socket.SendFile", "Socket.TrySendFile"}, Test: filesAreSentFromAnOffset,
		},
		{
			ID: "A20", Title: "recvmsg: a list of buffers", Way: Polled,
			Names: []string{"Socket.Recvv", "Socket.TryRecvv"}, Test: longListsAreReceived,
		},
		{
			ID: "A21", Title: "recvmsg: one buffer, and how the packet came", Way: Polled,
			Names: []string{"Socket.RecvMsg", "Msg"}, Test: messagesAreReceived,
		},
		{
			ID: "A22", Title: "recvmsg: a list of buffers, and how the packet came", Way: Polled,
			Names: []string{"Socket.RecvMsg"}, Test: messagesAreReceivedInLists,
		},
	}
}

func tryRows() []Row { // A23 to A36
	return []Row{
		{
			ID: "A23", Title: "try to accept", Way: Call,
			Names: []string{"Socket.TryAccept"}, Test: connectionsAreAccepted,
		},
		{
			ID: "A24", Title: "begin to connect", Way: Call,
			Names: []string{"Socket.TryConnect"}, Test: connectionsBegin,
		},
		{
			ID: "A25", Title: "begin to connect, with data", Way: Polled,
			Names: []string{"Socket.TryConnectData", "Socket.ConnectData"}, Test: dataComesWithTheConnection,
		},
		{
			ID: "A26", Title: "what has become of a connection", Way: Call,
			Names: []string{"Socket.TryFinishConnect"}, Test: connectionsFinish,
		},
		{
			ID: "A27", Title: "try to receive, and from whom", Way: Call,
			Names: []string{"Socket.TryRecvFrom"}, Test: tryRecvFrom,
		},
		{
			ID: "A28", Title: "try to receive into a list", Way: Call,
			Names: []string{"Socket.TryRecvv"}, Test: tryRecvList,
		},
		{
			ID: "A29", Title: "try to receive, also nothing", Way: Call,
			Names: []string{"Socket.TryRecv"}, Test: tryRecv,
		},
		{
			ID: "A30", Title: "a receive of nothing, from whom and into lists", Way: Call,
			Names: []string{"Socket.TryRecvFrom", "Socket.TryRecvv"}, Test: tryRecvFromAndLists,
		},
		{
			ID: "A31", Title: "try to receive, and how the packet came", Way: Call,
			Names: []string{"Socket.TryRecvMsg"}, Test: tryRecvMsg,
		},
		{
			ID: "A32", Title: "try to send a part of a buffer to an address", Way: Call,
			Names: []string{"Socket.TrySendTo"},
			Test: sendTries(func(s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
				return s.TrySendTo(append([]byte("before"), b...)[6:], 0, to)
			}),
		},
		{
			ID: "A33", Title: "try to send to an address", Way: Call,
			Names: []string{"Socket.TrySendTo"},
			Test: sendTries(func(s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
				return s.TrySendTo(b, 0, to)
			}),
		},
		{
			ID: "A34", Title: "try to send a list to an address", Way: Call,
			Names: []string{"Socket.TrySendvTo"},
			Test: sendTries(func(s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
				return s.TrySendvTo(cut(b, 0, 1, 0, 2), 0, to)
			}),
		},
		{
			ID: "A35", Title: "try to send, and errors behind a part", Way: Call,
			Names: []string{"Socket.TrySend"}, Test: trySend,
		},
		{
			ID: "A36", Title: "try to send a file", Way: Call,
			Names: []string{"Socket.TrySendFile"}, Test: tryForms,
		},
	}
}

func plainSendRows() []Row { // A44 to A51
	return []Row{
		{ID: "A44", Title: "accept", Way: Polled, Names: []string{"Socket.Accept", "Socket.GoAccept"}, Test: acceptsWait},
		{ID: "A45", Title: "connect", Way: Polled, Names: []string{"Socket.Connect"}, Test: connectsWait},
		{ID: "A46", Title: "send a list", Way: Polled, Names: []string{"Socket.Sendv"}, Test: sendsBy(sendList)},
		{ID: "A47", Title: "send a part of a buffer", Way: Native, Names: []string{"Socket.Send"}, Test: sendsBy(sendPart)},
		{ID: "A48", Title: "send", Way: Native, Names: []string{"Socket.Send"}, Test: sendsBy(sendSlice)},
		{ID: "A49", Title: "send a file", Way: Polled, Names: []string{"Socket.SendFile"}, Test: wholeFilesAreSent},
		{
			ID: "A50", Title: "send a part of a buffer to an address", Way: Polled,
			Names: []string{"Socket.SendTo"}, Test: sendsToBy(sendPartTo),
		},
		{
			ID: "A51", Title: "send to an address", Way: Polled,
			Names: []string{"Socket.SendTo", "Socket.SendvTo"}, Test: sendsToBy(sendToEither()),
		},
	}
}

// sendToEither sends by turns one buffer and a list.
func sendToEither() sender {
	calls := 0
	return func(ctx context.Context, s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
		if calls++; calls%2 == 0 {
			return s.SendvTo(ctx, cut(b, 0), 0, to)
		}
		return s.SendTo(ctx, b, 0, to)
	}
}

func plainReceiveRows() []Row { // A52 to A58
	return []Row{
		{ID: "A52", Title: "receive into a list", Way: Polled, Names: []string{"Socket.Recvv"}, Test: receivesBy(recvList)},
		{
			ID: "A53", Title: "receive into a part of a buffer", Way: Native,
			Names: []string{"Socket.Recv"}, Test: receivesBy(recvPart),
		},
		{ID: "A54", Title: "receive", Way: Native, Names: []string{"Socket.Recv"}, Test: receivesBy(recvInto)},
		{
			ID: "A55", Title: "receive, and how the packet came", Way: Polled,
			Names: []string{"Socket.RecvMsg"}, Test: receivesBy(recvMessage),
		},
		{
			ID: "A56", Title: "receive into a list, and how the packet came", Way: Polled,
			Names: []string{"Socket.RecvMsg", "Socket.GoRecvMsg"}, Test: messagesAreReceivedInListsInTurn,
		},
		{
			ID: "A57", Title: "receive, from whom and with which flags", Way: Polled,
			Names: []string{"Socket.RecvFrom"}, Test: recvFromTellsFlags,
		},
		{
			ID: "A58", Title: "receive, and from whom", Way: Polled,
			Names: []string{"Socket.RecvFrom"}, Test: receivesBy(recvFrom),
		},
	}
}

func stateRows() []Row { // A37 to A43
	return []Row{
		{
			ID: "A37", Title: "whether the plain forms wait", Way: NoKernel,
			Names: []string{"Socket.SetBlocking", "Socket.Blocking"}, Test: socketsDoNotWait,
		},
		{ID: "A38", Title: "getsockname", Way: Call, Names: []string{"Socket.LocalAddr"}, Test: localNames},
		{
			ID: "A39", Title: "how many bytes are there to receive", Way: Call,
			Names: []string{"Socket.Available"}, Test: availableBytesAreCounted,
		},
		{
			ID: "A40", Title: "whether the mark of urgent data is reached", Way: Call,
			Names: []string{"Socket.AtOutOfBandMark"}, Test: theMarkIsTold,
		},
		{ID: "A41", Title: "getpeername", Way: Call, Names: []string{"Socket.PeerAddr"}, Test: peerNames},
		{ID: "A42", Title: "bind", Way: Call, Names: []string{"Socket.Bind"}, Test: namesAreGiven},
		{ID: "A43", Title: "listen", Way: Call, Names: []string{"Socket.Listen"}, Test: socketsListen},
	}
}

func setOptionRows() []Row { // A59 to A68
	return []Row{
		{
			ID: "A59", Title: "ioctl by the numbers of the managed runtimes", Way: Call,
			Names: []string{"Socket.IOControl"}, Test: numbersAreTold,
		},
		{
			ID: "A60", Title: "options that were set are remembered", Way: NoKernel,
			Names: []string{"Socket.Exposed", "Socket.Fd"}, Test: optionsAreRemembered,
		},
		{
			ID: "A61", Title: "set an option to a number", Way: Call,
			Names: []string{"Socket.SetOptionInt", "Socket.SetReadTimeout", "Socket.SetMulticastInterface4"},
			Test:  numbersAreSet,
		},
		{
			ID: "A62", Title: "set an option to bytes", Way: Call,
			Names: []string{"Socket.SetOptionBytes"}, Test: bytesAreSet,
		},
		{
			ID: "A63", Title: "set an option of the kernel's", Way: Call,
			Names: []string{"Socket.SetRawOption"}, Test: rawOptionsAreSet,
		},
		{
			ID: "A64", Title: "join and leave groups of IPv4", Way: Call,
			Names: []string{"Socket.JoinGroup4", "Socket.LeaveGroup4"}, Test: groupsOfIPv4,
		},
		{
			ID: "A65", Title: "join and leave groups of IPv6", Way: Call,
			Names: []string{"Socket.JoinGroup6", "Socket.LeaveGroup6"}, Test: groupsOfIPv6,
		},
		{ID: "A66", Title: "set linger", Way: Call, Names: []string{"Socket.SetLinger"}, Test: lingersAreSet},
		{
			ID: "A67", Title: "ask for packet information of IPv4 in dual mode", Way: Call,
			Names: []string{"Socket.SetRecvPacketInfo"}, Test: dualModeTells(true),
		},
		{
			ID: "A68", Title: "IP protection level", Way: Nowhere,
			Names: []string{"Socket.SetIPProtectionLevel"}, Test: protectionLevelIsNotOfLinux,
			Unsupported: "Linux has no such option: ErrUnsupported",
		},
	}
}

func getOptionRows() []Row { // A69 to A74
	const untold = "the kernel does not tell the groups of a socket: ENOPROTOOPT"
	return []Row{
		{
			ID: "A69", Title: "an option that is a number", Way: Call,
			Names: []string{"Socket.OptionInt", "Socket.SocketError"}, Test: numbersAreRead,
		},
		{
			ID: "A70", Title: "an option as bytes", Way: Call,
			Names: []string{"Socket.OptionBytes"}, Test: bytesAreRead,
		},
		{
			ID: "A71", Title: "an option of the kernel's", Way: Call,
			Names: []string{"Socket.RawOption"}, Test: rawOptionsAreRead,
		},
		{
			ID: "A72", Title: "the groups of IPv4 of a socket", Way: Nowhere, Unsupported: untold,
			Names: []string{"Socket.GroupOption4"}, Test: groupsOfIPv4AreNotTold,
		},
		{
			ID: "A73", Title: "the groups of IPv6 of a socket", Way: Nowhere, Unsupported: untold,
			Names: []string{"Socket.GroupOption6"}, Test: groupsOfIPv6AreNotTold,
		},
		{ID: "A74", Title: "linger", Way: Call, Names: []string{"Socket.Linger"}, Test: lingersAreRead},
	}
}

func waitRows() []Row { // A75 to A82
	const broken = "it is for systems whose poll is broken; Select works by poll"
	return []Row{
		{ID: "A75", Title: "wait for one socket", Way: Looked, Names: []string{"Socket.Poll"}, Test: readinessIsTold},
		{ID: "A76", Title: "wait for many sockets", Way: Looked, Names: []string{"Engine.Select"}, Test: manyAreWaitedFor},
		{
			ID: "A77", Title: "select by select(2)", Way: Nowhere, Unsupported: broken,
			Names: []string{"Engine.Select"}, Test: selectKnowsAnyDescriptor,
		},
		{
			ID: "A78", Title: "the sets of select(2)", Way: Nowhere, Unsupported: broken,
			Names: []string{"Engine.Select"}, Test: listsAreChecked,
		},
		{
			ID: "A79", Title: "what select(2) leaves in its sets", Way: Nowhere, Unsupported: broken,
			Names: []string{"Engine.Select"}, Test: whatIsNotReadyIsLeftOut,
		},
		{
			ID: "A80", Title: "select by poll(2)", Way: Looked,
			Names: []string{"Engine.Select", "SelectResult"}, Test: readyOnesComeInOrder,
		},
		{
			ID: "A81", Title: "what is no socket in a list", Way: NoKernel,
			Names: []string{"Engine.Select"}, Test: listsAreChecked,
		},
		{
			ID: "A82", Title: "those of a list that are ready", Way: NoKernel,
			Names: []string{"Engine.Select"}, Test: whatIsNotReadyIsLeftOut,
		},
	}
}

func endRows() []Row { // A83 to A88
	return []Row{
		{ID: "A83", Title: "shutdown", Way: Call, Names: []string{"Socket.Shutdown"}, Test: directionsAreShutDown},
		{
			ID: "A84", Title: "send a file in the background", Way: Polled,
			Names: []string{"Socket.GoSendFile"}, Test: filesAreSentInTheBackground,
		},
		{
			ID: "A85", Title: "send memory and files one after the other", Way: Polled,
			Names: []string{"Socket.SendPackets", "Packet"}, Test: packetsAreSent,
		},
		{
			ID: "A86", Title: "end a connection, and perhaps make another", Way: Call,
			Names: []string{"Socket.Disconnect"}, Test: connectionsAreEnded,
		},
		{
			ID: "A87", Title: "make a socket of a descriptor", Way: Call,
			Names: []string{"Engine.FromFD"}, Test: descriptorsAreWrapped,
		},
		{
			ID: "A88", Title: "whether a connection is made", Way: Call,
			Names: []string{"Socket.Connected"}, Test: connectedIsAdvice,
		},
	}
}
