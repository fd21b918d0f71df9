//go:build linux

package prometheus

import (
	client "github.com/prometheus/client_golang/prometheus"

	"github.com/sockring/uring/socketops"
)

const (
	counter = client.CounterValue
	gauge   = client.GaugeValue
)

var engineMetrics = []struct {
	name, help string
	kind       client.ValueType
	value      func(s *socketops.EngineStats) float64
}{
	{
		"sent_bytes_total", "Bytes of payload that the kernel has taken.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Sent.Bytes) },
	},
	{
		"received_bytes_total", "Bytes of payload that the kernel has given.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Received.Bytes) },
	},
	{
		"open_sockets", "Sockets that are open.", gauge,
		func(s *socketops.EngineStats) float64 { return float64(s.SocketsOpen) },
	},
	{
		"sockets_total", "Sockets that were made or accepted.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.SocketsTotal) },
	},
	{
		"submits_total", "System calls that handed requests to io_uring.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Submits) },
	},
	{
		"requests_total", "Requests that were handed to io_uring.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Requests) },
	},
	{
		"completions_total", "Completions that were reaped from io_uring.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Completions) },
	},
	{
		"wakeups_total", "Times that the engine's goroutine was woken, by work or by ready sockets.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.WakeUps) },
	},
	{
		"bundles_total", "Requests that sent many messages.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Bundles) },
	},
	{
		"bundle_messages_total", "Messages that were sent in bundles.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.BundleMessages) },
	},
	{
		"batches_total", "Calls of io_submit.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.Batches) },
	},
	{
		"batch_operations_total", "Operations that were made by io_submit.", counter,
		func(s *socketops.EngineStats) float64 { return float64(s.BatchOperations) },
	},
}

var directionMetrics = []struct {
	name, help string
	kind       client.ValueType
	value      func(s *socketops.DirectionStats) float64
}{
	{
		"operations_total", "Operations that are over, whatever came of them.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.Operations) },
	},
	{
		"inline_operations_total", "Operations that were over without waiting.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.Inline) },
	},
	{
		"would_block_operations_total", "Operations that would have had to wait and were not to.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.WouldBlock) },
	},
	{
		"short_operations_total", "Operations that transferred a part and went on or ended with that.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.Short) },
	},
	{
		"canceled_operations_total", "Operations that a context, a cancellation or a close has ended.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.Canceled) },
	},
	{
		"timed_out_operations_total", "Operations that a deadline or time-out has ended.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.TimedOut) },
	},
	{
		"failed_operations_total", "Operations that ended with another error.", counter,
		func(s *socketops.DirectionStats) float64 { return float64(s.Errors) },
	},
	{
		"queued_operations", "Operations that wait.", gauge,
		func(s *socketops.DirectionStats) float64 { return float64(s.Queued) },
	},
	{
		"queued_operations_max", "The most operations that ever waited at once on one socket.", gauge,
		func(s *socketops.DirectionStats) float64 { return float64(s.QueuedMax) },
	},
}
