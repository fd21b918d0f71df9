//go:build linux

package conformance

// queueRows are part B: the rules of queues, blocking, time-outs and cancellation.
func queueRows() []Row {
	send, recv := []string{"Socket.Send", "Socket.GoSend"}, []string{"Socket.Recv", "Socket.GoRecv"}
	both := []string{"Socket.Send", "Socket.Recv"}
	row := func(id, title string, names []string, test func(*T)) Row {
		return Row{ID: id, Title: title, Names: names, Way: Rule, Test: test}
	}
	return []Row{
		row("B01", "two queues, which never block each other", both, directionsAreIndependent),
		row("B02", "a queue goes from ready to waiting and back", recv, queueGoesOn),
		row("B03", "nothing overtakes what waits", []string{"Socket.TryRecv", "Socket.TrySend"}, triesOvertakeNothing),
		row("B04", "what comes later waits behind", recv, receivesInOrder),
		row("B05", "only the head of a queue is with the kernel", send, sendsInOrder),
		row("B06", "what is queued is cancelled at once, what is over never", []string{"Op.Cancel"}, cancelOfTheQueued),
		row("B07", "a cancelled receive loses nothing", []string{"Op.Cancel", "Socket.GoRecv"}, cancelledReceives),
		row("B08", "a cancelled send tells its bytes", []string{"Op.Cancel", "Socket.GoSend"}, cancelledSend),
		row("B09", "closing ends all that waits", []string{"Socket.Close"}, closeStops),
		row("B10", "closed comes before cancelled, and that before all else", both, orderOfErrors),
		row("B11", "blocking forms take their turn in the same queue", both, blockingTakesItsTurn),
		row("B12", "a time-out keeps what was sent", []string{"Socket.SetWriteTimeout"}, timeoutKeepsTheSocket),
		row("B13", "a time-out is one for the whole operation", []string{"Socket.SetReadTimeout"}, timeoutIsForAll),
		row("B14", "time-outs of the kernel do not count", []string{"Socket.SetRawOption"}, kernelTimeouts),
		row("B15", "accept and connect know no time-out", []string{"Socket.Accept", "Socket.Connect"}, acceptHasNoTimeout),
		row("B16", "what is cancelled before does nothing", both, cancelledBefore),
		row("B17", "connect takes its turn with the sends", []string{"Socket.Connect"}, connectTwice),
		row("B18", "errors of connecting and of sending are told apart", []string{"Socket.ConnectData"}, connectDataErrors),
		row("B19", "after a failure the next address has a new socket", []string{"Socket.ConnectAny"}, connectAfterFailure),
		row("B20", "a receive of nothing ends when there is something", recv, receiveOfNothing),
		row("B21", "memory stays until the operation is over", recv, memoryStays),
		row("B22", "a list of buffers is taken as it was", []string{"Socket.GoSendvTo"}, listIsCopied),
		row("B23", "a send goes on where it stopped", send, sendGoesOn),
		row("B24", "an error comes with what was sent before it", send, errorWithBytes),
		row("B25", "accepts get connections in order", []string{"Socket.Accept", "Socket.GoAccept"}, acceptsInOrder),
		row("B26", "an accepted socket is of its listener's kind", []string{"Socket.Accept"}, acceptedKind),
		row("B27", "hang-ups and errors end what waits", recv, hangUpsWake),
		row("B28", "a callback that blocks stalls nobody else", recv, blockedCallback),
		row("B29", "news of a closed descriptor reach nobody", []string{"Socket.Close"}, staleNews),
		row("B30", "bytes and callbacks are in the order of the calls", send, concurrentSends),
		row("B31", "an operation is over exactly once", []string{"Op.Cancel"}, exactlyOnce),
		row("B32", "close returns when the kernel is done", []string{"Socket.Close"}, closeWaits),
		row("B33", "a socket that is forgotten is closed", []string{"Engine.Socket"}, forgottenSocket),
		row("B34", "files are sent in turn", []string{"Socket.SendFile", "Socket.GoSendFile"}, filesInTurn),
		row("B35", "packets leave in one piece", []string{"Socket.SendPackets"}, packetsInOnePiece),
		row("B36", "poll and select wait for no queue", []string{"Socket.Poll", "Engine.Select"}, pollWaitsForNoQueue),
		row("B37", "the blocking mode can change at any time", []string{"Socket.SetBlocking"}, blockingModeChanges),
		row("B38", "what waits ends when the socket is disconnected", []string{"Socket.Disconnect"}, disconnectStops),
	}
}
