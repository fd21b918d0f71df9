//go:build linux

package socketops

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SelectResult are the sockets that are ready, in the order in which they were given.
type SelectResult struct{ Read, Write, Error []*Socket }

// Select is Poll of many sockets: r for PollRead, w for PollWrite and x for PollError. It returns when any of them is
// ready or hung up, with all that are ready then, and nothing when d has passed. A socket can be in several lists, and
// in one more than once; the lists are not changed. A nil socket is EINVAL, and one that is closed, before or
// meanwhile, ErrClosed.
func (e *Engine) Select(ctx context.Context, r, w, x []*Socket, d time.Duration) (SelectResult, error) {
	lists := [...]struct {
		name    string
		mode    PollMode
		sockets []*Socket
	}{{"read", PollRead, r}, {"write", PollWrite, w}, {"error", PollError, x}}
	var p pollSet
	defer p.release()
	for _, l := range lists {
		for i, s := range l.sockets {
			err := error(unix.EINVAL)
			if s != nil {
				err = p.add(s, pollEvents[l.mode].ask)
			}
			if err != nil {
				return SelectResult{}, opError("select", fmt.Errorf("%s list, socket %d: %w", l.name, i, err))
			}
		}
	}
	if err := p.wait(ctx, d); err != nil {
		return SelectResult{}, opError("select", err)
	}
	var ready [len(lists)][]*Socket
	at := 0
	for i, l := range lists {
		for _, s := range l.sockets {
			if p.ready(at, pollEvents[l.mode].count) {
				ready[i] = append(ready[i], s)
			}
			at++
		}
	}
	return SelectResult{ready[0], ready[1], ready[2]}, nil
}
