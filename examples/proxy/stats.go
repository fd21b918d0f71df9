//go:build linux

package main

import (
	"errors"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockring/uring/socketops"
)

// stats counts what a proxy has done.
type stats struct {
	started time.Time

	open, total, refused, aborted atomic.Int64 // connections
	toTarget, toClient            atomic.Int64 // bytes passed on

	mu     sync.Mutex // guards errors
	errors map[string]int64
}

func (s *stats) begin() { s.started, s.errors = time.Now(), make(map[string]int64) }

// failed counts an error by where it occurred and its class.
func (s *stats) failed(where string, err error) {
	class := socketops.Classify(err)
	var lookup *net.DNSError
	switch {
	case !errors.As(err, &lookup):
	case lookup.IsTimeout:
		class = socketops.ClassTimedOut
	default:
		class = socketops.ClassHostNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors[where+" "+class.String()]++
}

// snapshot is what stats were at a time, as JSON has it.
type snapshot struct {
	Engine   string           `json:"engine"`
	Refusals []string         `json:"refusals,omitempty"` // why no better engine serves
	Routes   []routeText      `json:"routes"`
	Seconds  float64          `json:"seconds"`
	Conns    connCounts       `json:"connections"`
	Bytes    byteCounts       `json:"bytes"`
	PerS     byteRates        `json:"bytes_per_second"`
	Errors   map[string]int64 `json:"errors"` // by where and class
}

// routeText is where connections arrive, and where they go.
type routeText struct {
	Listen string `json:"listen"`
	To     string `json:"to"`
}

// connCounts are numbers of connections. Those in Total were served, those in Aborted cut off by the end of the proxy.
type connCounts struct {
	Open    int64 `json:"open"`
	Total   int64 `json:"total"`
	Refused int64 `json:"refused"`
	Aborted int64 `json:"aborted"`
}

// byteCounts are bytes that were passed on, by where to.
type byteCounts struct {
	ToTarget int64 `json:"to_target"`
	ToClient int64 `json:"to_client"`
}

// byteRates are byteCounts in a second.
type byteRates struct {
	ToTarget float64 `json:"to_target"`
	ToClient float64 `json:"to_client"`
}

// snapshot returns what was counted, with the rates since an earlier snapshot, or since the beginning.
func (p *proxy) snapshot(since *snapshot) *snapshot {
	status, s := p.engine.Status(), &p.stats
	now := &snapshot{
		Engine:  string(status.Backend),
		Seconds: time.Since(s.started).Seconds(),
		Conns:   connCounts{s.open.Load(), s.total.Load(), s.refused.Load(), s.aborted.Load()},
		Bytes:   byteCounts{s.toTarget.Load(), s.toClient.Load()},
	}
	for _, r := range status.Refusals {
		now.Refusals = append(now.Refusals, r.String())
	}
	for _, f := range p.fronts {
		now.Routes = append(now.Routes, routeText{f.at.String(), f.to.String()})
	}
	s.mu.Lock()
	now.Errors = maps.Clone(s.errors)
	s.mu.Unlock()
	if since == nil {
		since = &snapshot{}
	}
	if took := now.Seconds - since.Seconds; took > 0 {
		now.PerS.ToTarget = float64(now.Bytes.ToTarget-since.Bytes.ToTarget) / took
		now.PerS.ToClient = float64(now.Bytes.ToClient-since.Bytes.ToClient) / took
	}
	return now
}

// errorsTotal is how many errors there were.
func (s *snapshot) errorsTotal() (n int64) {
	for _, of := range s.Errors {
		n += of
	}
	return n
}
