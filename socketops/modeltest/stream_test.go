//go:build linux

package modeltest

import (
	"fmt"
	"math"
	"strings"
)

// check holds that what was received is what was sent, when all is over.
func (w *way) check(r *run) {
	for _, tr := range append(w.sends, w.recvs...) {
		if n := tr.over.Load(); n != 1 {
			r.failf("over %d times: %v", n, tr)
			return
		}
	}
	for _, tr := range w.recvs {
		tr.checkMemory()
	}
	w.checkCallbacks(r, w.sends)
	w.checkCallbacks(r, w.recvs)
	fault := ""
	if w.from.kind.stream() {
		fault = w.checkStream()
	} else {
		fault = w.checkDatagrams()
	}
	if fault != "" {
		r.failf("%s on %v\nsent:\n%s\nreceived:\n%s", fault, w.from.kind, list(w.sends), list(w.recvs))
	}
}

func list(all []*transfer) string {
	var b strings.Builder
	for _, tr := range all {
		fmt.Fprintf(&b, "\t%v", tr)
		if !tr.sending && tr.n > 0 && !tr.form.peek {
			fmt.Fprintf(&b, " % x", tr.p[:min(tr.n, 8)])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// checkCallbacks holds that callbacks came in the order of the calls, those excepted that had their turn taken away
// (B30).
func (w *way) checkCallbacks(r *run, all []*transfer) {
	last := map[int]*transfer{}
	for _, tr := range all {
		if tr.op == nil || tr.n == 0 {
			continue
		}
		if before := last[tr.worker]; before != nil && before.returned > tr.returned {
			r.failf("callbacks out of order: %v\nand then %v", tr, before)
		}
		last[tr.worker] = tr
	}
}

// moved are the transfers of each goroutine that moved bytes, in the order of its calls.
func moved(all []*transfer) [][]*transfer {
	byWorker := map[int][]*transfer{}
	for _, tr := range all {
		if tr.n > 0 && (tr.sending || !tr.form.peek) {
			byWorker[tr.worker] = append(byWorker[tr.worker], tr)
		}
	}
	var lists [][]*transfer
	for _, l := range byWorker {
		lists = append(lists, l)
	}
	return lists
}

// candidates calls yield with each of the lists whose first transfer can be the next that had its turn: none of the
// others was over before it was called.
func candidates(lists [][]*transfer, yield func(i int, tr *transfer) bool) bool {
	first := int64(math.MaxInt64)
	for _, l := range lists {
		if len(l) > 0 {
			first = min(first, l[0].returned)
		}
	}
	for i, l := range lists {
		if len(l) > 0 && l[0].called <= first && yield(i, l[0]) {
			return true
		}
	}
	return false
}

// explanation is a search for an order of sends and of receives that explains what was received. Operations that
// overlapped can have had their turns in any order, but those of one goroutine.
type explanation struct {
	sends, recvs [][]*transfer // that are left
	current      *transfer     // whose bytes come next, or nil
	at           int           // how many of them are explained
	steps        int
	most         int // bytes that were explained
	explained    int
}

// explanationMax is after how many steps a search gives up.
const explanationMax = 1_000_000

func (w *way) checkStream() string {
	x := &explanation{sends: moved(w.sends), recvs: moved(w.recvs)}
	complete := w.complete()
	switch {
	case x.explain(func() bool { return !complete || x.allReceived() }):
		return ""
	case x.steps > explanationMax:
		return "too many orders to tell"
	}
	return fmt.Sprintf("no order explains what was received, but for the first %d bytes (complete: %v)", x.most, complete)
}

// allReceived reports whether no send is left.
func (x *explanation) allReceived() bool {
	for _, l := range x.sends {
		if len(l) > 0 {
			return false
		}
	}
	return x.current == nil
}

// explain takes all receives one after the other, and reports whether there is an order in which they can have come
// with which done is content.
func (x *explanation) explain(done func() bool) bool {
	if x.steps++; x.steps > explanationMax {
		return false
	}
	left := false
	for _, l := range x.recvs {
		left = left || len(l) > 0
	}
	if !left {
		return done()
	}
	return candidates(x.recvs, func(i int, tr *transfer) bool {
		x.recvs[i] = x.recvs[i][1:]
		defer func() { x.recvs[i] = append([]*transfer{tr}, x.recvs[i]...) }()
		return x.take(tr.p[:tr.n], func() bool { return x.explain(done) })
	})
}

// take explains bytes, and goes on with then.
func (x *explanation) take(p []byte, then func() bool) bool {
	x.most = max(x.most, x.explained)
	if len(p) == 0 {
		return then()
	}
	if x.current == nil {
		return candidates(x.sends, func(i int, tr *transfer) bool {
			if p[0] != tr.id {
				return false
			}
			x.sends[i], x.current, x.at = x.sends[i][1:], tr, 0
			defer func() {
				x.sends[i], x.current = append([]*transfer{tr}, x.sends[i]...), nil
			}()
			return x.take(p, then)
		})
	}
	current, at, explained := x.current, x.at, x.explained
	defer func() { x.current, x.at, x.explained = current, at, explained }()
	n := min(len(p), current.n-at)
	for i, c := range p[:n] {
		if c != patternAt(current.id, at+i) {
			return false
		}
	}
	x.explained += n
	if x.at += n; x.at == current.n {
		x.current = nil
	}
	return x.take(p[n:], then)
}
