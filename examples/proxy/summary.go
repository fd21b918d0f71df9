//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sockring/uring/examples/internal/cli"
)

// summarize writes all that was counted, for people or programs.
func (p *proxy) summarize(out io.Writer) error {
	s := p.snapshot(nil)
	if p.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	_, err := io.WriteString(out, s.text())
	return err
}

// text is a snapshot for people.
func (s *snapshot) text() string {
	var b strings.Builder
	took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Millisecond)
	fmt.Fprintf(&b, "engine       %s, for %v\n", s.Engine, took)
	fmt.Fprintf(&b, "connections  %d served, %d refused, %d aborted\n", s.Conns.Total, s.Conns.Refused, s.Conns.Aborted)
	fmt.Fprintf(&b, "to target    %s, %s/s\n", cli.Bytes(s.Bytes.ToTarget), cli.Bytes(int64(s.PerS.ToTarget)))
	fmt.Fprintf(&b, "to client    %s, %s/s\n", cli.Bytes(s.Bytes.ToClient), cli.Bytes(int64(s.PerS.ToClient)))
	fmt.Fprintf(&b, "errors       %d\n", s.errorsTotal())
	for _, kind := range slices.Sorted(maps.Keys(s.Errors)) {
		fmt.Fprintf(&b, "  %-40s %d\n", kind, s.Errors[kind])
	}
	return b.String()
}
