//go:build linux

package prometheus

import (
	"maps"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/sockring/uring/socketops"
)

// namespace begins the names of all metrics.
const namespace = "sockring"

// metric is a figure of an engine, and directed one of each direction.
type (
	metric struct {
		desc  *client.Desc
		kind  client.ValueType
		value func(s *socketops.EngineStats) float64
	}
	directed struct {
		desc  *client.Desc
		kind  client.ValueType
		value func(s *socketops.DirectionStats) float64
	}
)

// collector looks at its engines when it is asked.
type collector struct {
	engines  map[string]*socketops.Engine
	info     *client.Desc
	metrics  []metric
	directed []directed
}

// NewCollector returns a Collector of the statistics of engines, each by a name for its label. All metrics have labels
// too, which may be nil and must not have those that the package sets: engine, direction and backend. An engine that is
// closed keeps its last figures.
func NewCollector(engines map[string]*socketops.Engine, labels client.Labels) client.Collector {
	c := &collector{engines: maps.Clone(engines)}
	desc := func(name, help string, variable ...string) *client.Desc {
		return client.NewDesc(namespace+"_"+name, help, append([]string{"engine"}, variable...), labels)
	}
	c.info = desc("engine_info", "What the engine is built on; always 1.", "backend")
	for _, m := range engineMetrics {
		c.metrics = append(c.metrics, metric{desc(m.name, m.help), m.kind, m.value})
	}
	for _, m := range directionMetrics {
		c.directed = append(c.directed, directed{desc(m.name, m.help, "direction"), m.kind, m.value})
	}
	return c
}

// Describe implements client.Collector.
func (c *collector) Describe(out chan<- *client.Desc) {
	out <- c.info
	for _, m := range c.metrics {
		out <- m.desc
	}
	for _, m := range c.directed {
		out <- m.desc
	}
}

// Collect implements client.Collector.
func (c *collector) Collect(out chan<- client.Metric) {
	for name, e := range c.engines {
		s := e.Stats()
		out <- client.MustNewConstMetric(c.info, client.GaugeValue, 1, name, string(e.Backend()))
		for _, m := range c.metrics {
			out <- client.MustNewConstMetric(m.desc, m.kind, m.value(&s), name)
		}
		for _, m := range c.directed {
			out <- client.MustNewConstMetric(m.desc, m.kind, m.value(&s.Received), name, "received")
			out <- client.MustNewConstMetric(m.desc, m.kind, m.value(&s.Sent), name, "sent")
		}
	}
}
