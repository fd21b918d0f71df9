package aio

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) {
	testutil.MainWithExamples(m, map[string]func() error{"Example*": exampleContext})
}

// exampleContext tries what all examples do first.
func exampleContext() error {
	c, err := NewContext(1)
	if err != nil {
		return err
	}
	return c.Close()
}

func TestEveryEntryPointHasAnExample(t *testing.T) {
	testutil.InSource(t)
	require.Greater(t, testutil.RequireExamples(t), 50)
}

// TestRingDoesNotHoldWhatIsBeingWritten holds that an event counts as there once the kernel has moved the tail, and not
// before: on no processor may a reader conclude more from the event alone.
func TestRingDoesNotHoldWhatIsBeingWritten(t *testing.T) {
	r := ring{header: &ringHeader{head: 1, tail: 3}, events: make([]rawEvent, 4)}
	for i := range r.events {
		r.events[i].data = uint64(100 + i)
	}
	require.True(t, r.contains(100), "it was read, and nothing has taken its slot")
	require.True(t, r.contains(102))
	require.False(t, r.contains(103), "the kernel has not moved the tail behind it")
	require.False(t, r.contains(104), "no such event")

	var got [4]rawEvent
	require.Equal(t, 2, r.read(got[:]))
	r.header.tail = 0
	require.True(t, r.contains(103))
	require.Equal(t, 1, r.read(got[:]))
	require.Equal(t, uint64(103), got[0].data)
}

func TestZeroValues(t *testing.T) { // found 30
	testutil.ZeroValues(
		t, map[string]string{
			"BatchOption": "a function", "Option": "a function", "SenderOption": "a function",
			"Sink": "an interface", "Source": "an interface",
		},
		new(Alignment), new(BatchStats), new(Batcher), new(Context), new(Event), new(File), new(ID), new(IOCB), new(Limits),
		new(Op), new(Queue), new(Request), new(Result), new(Sender), new(Socket), new(SocketFlags), new(State), new(Stats),
		new(UnsentError), new(UnsupportedError),
	)
}

func TestZeroValuesAreClosed(t *testing.T) { // found 30
	var (
		c      Context
		q      Queue
		b      Batcher
		socket Socket
		sender Sender
	)
	for name, call := range map[string]func() error{
		"IOCB":      func() error { _, err := c.IOCB(); return err },
		"Submit":    func() error { _, err := c.Submit(); return err },
		"GetEvents": func() error { _, err := c.GetEvents(1, make([]Event, 1), 0); return err },
		"Queue":     func() error { _, err := q.Submit(new(Request)); return err },
		"Batcher":   func() error { _, err := b.Send(context.Background(), nil, nil); return err },
		"Socket":    func() error { _, err := b.Socket(0); return err },
		"NewSender": func() error { _, err := socket.NewSender(); return err },
		"Write":     func() error { _, err := sender.Write([]byte("x")); return err },
		"Flush":     func() error { return sender.Flush(context.Background()) },
	} {
		require.ErrorIs(t, call(), ErrClosed, name)
	}
}
