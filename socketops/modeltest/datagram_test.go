//go:build linux

package modeltest

import "fmt"

// checkDatagrams holds that each message arrived at most once, as it was sent, in an order in which it can have been
// sent, and all of them where none can be lost.
func (w *way) checkDatagrams() string {
	sent := map[byte]*transfer{}
	for _, tr := range w.sends {
		if tr.n > 0 {
			sent[tr.id] = tr
		}
	}
	taker := map[*transfer]*transfer{} // by the send
	for _, tr := range w.recvs {
		if tr.n == 0 || tr.form.peek {
			continue
		}
		s := sent[tr.p[0]]
		switch {
		case s == nil:
			return fmt.Sprintf("message %d was not sent", tr.p[0])
		case taker[s] != nil:
			return fmt.Sprintf("message %d came twice", s.id)
		case tr.n != min(len(tr.p), s.n):
			return fmt.Sprintf("message %d came in part", s.id)
		}
		for i, c := range tr.p[:tr.n] {
			if c != patternAt(s.id, i) {
				return fmt.Sprintf("message %d has another byte %d", s.id, i)
			}
		}
		taker[s] = tr
	}
	if w.complete() && len(taker) < len(sent) {
		return fmt.Sprintf("%d messages of %d", len(taker), len(sent))
	}
	return checkMessageOrder(w.sends, taker)
}

// before reports whether a had its turn before b.
func before(a, b *transfer) bool {
	return a.returned < b.called || a.worker == b.worker && a.called < b.called
}

// checkMessageOrder holds that there is an order of all messages in which they can have been sent, and received by
// those who took them: it takes away one after the other that nothing has to come before.
func checkMessageOrder(sends []*transfer, taker map[*transfer]*transfer) string {
	var left []*transfer
	for _, s := range sends {
		if taker[s] != nil {
			left = append(left, s)
		}
	}
	for len(left) > 0 {
		next := -1
		for i, s := range left {
			free := true
			for _, other := range left {
				free = free && (other == s || !before(other, s) && !before(taker[other], taker[s]))
			}
			if free {
				next = i
				break
			}
		}
		if next < 0 {
			return fmt.Sprintf("%d messages came in an order in which they were not sent", len(left))
		}
		left = append(left[:next], left[next+1:]...)
	}
	return ""
}
