package sendq

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/unix"
)

// testedEngine sends all of a queue when it is asked for room, or fails.
type testedEngine struct {
	t      *testing.T
	q      *Queue
	err    error
	queued int
	waits  int
	got    string
}

func (e *testedEngine) Queued() { e.queued++ }

func (e *testedEngine) AwaitRoom(context.Context) error {
	e.waits++
	if e.err != nil {
		return e.err
	}
	for _, p := range take(e.t, e.q) {
		e.got += p
	}
	require.NoError(e.t, e.q.Sent(e.q.InFlight()))
	e.q.Settle()
	return nil
}

func TestPutWaitsForRoom(t *testing.T) {
	e := &testedEngine{t: t, q: newQueue(t, 8, 5)}
	ctx := context.Background()
	for _, text := range []string{"ab", "cd", "ef", "gh"} {
		require.NoError(t, Put(ctx, e, func() error { return e.q.Write([]byte(text)) }))
	}
	require.Equal(t, [2]int{4, 1}, [2]int{e.queued, e.waits})
	require.Equal(t, "abcd", e.got)

	require.ErrorIs(t, Put(ctx, e, func() error { return e.q.Write(make([]byte, 6)) }), unix.EMSGSIZE)
	e.err = errors.New("over")
	require.Equal(t, e.err, Put(ctx, e, func() error { return e.q.Write([]byte("ij")) }))
	require.Equal(t, 4, e.queued, "what failed was not queued")
}

func TestWriteAllTakesLongMessagesInPieces(t *testing.T) {
	e := &testedEngine{t: t, q: newQueue(t, 8, 5)}
	write := func(text string) (int, error) {
		err := e.q.Write([]byte(text))
		require.Error(t, err)
		return e.q.WriteAll(context.Background(), e, []byte(text), err)
	}
	n, err := write("abcdefghijklm")
	require.NoError(t, err)
	require.Equal(t, 13, n)
	n, err = write("nop")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.NoError(t, e.AwaitRoom(context.Background()))
	require.Equal(t, "abcdefghijklmnop", e.got)
	messages, _ := e.q.Progress()
	require.EqualValues(t, 4, messages)

	e.err = errors.New("over")
	n, err = write("qrstuvwxyz")
	require.Equal(t, e.err, err)
	require.Equal(t, 5, n, "the first piece")
	n, err = write("z")
	require.Equal(t, e.err, err)
	require.Zero(t, n)
}
