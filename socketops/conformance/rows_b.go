//go:build linux

package conformance

import (
	"github.com/sockring/uring/socketops"
)

// queueRows are part B: the rules of queues, blocking, time-outs and cancellation.
func queueRows() []Row {
	return []Row{
		{
			ID: "B01", Title: "two queues, which never block each other", Way: Rule,
			Names: []string{"Socket.Send", "Socket.Recv"}, Test: directionsAreIndependent,
		},
	}
}

func directionsAreIndependent(t *T) { // B01
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(1)
		a.GoRecv(make([]byte, 1), 0, told)
		k, err := a.Send(t.Late(), []byte("past the receive"), 0)
		t.ok(err)
		t.equal("past the receive", string(t.receive(b, k)))
		_, err = b.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
	})
}
