// Package prometheus has the statistics of socketops engines collected by Prometheus. It is a module of its own, so
// that the library depends on no client library.
//
//	collector := prometheus.NewCollector(map[string]*socketops.Engine{"main": engine}, nil)
//	registry.MustRegister(collector)
//
// Every metric has the label engine, which is the name in the map; those of transfers have the label direction, which
// is "received" or "sent". Package socketops says what is counted: EngineStats and DirectionStats.
package prometheus
