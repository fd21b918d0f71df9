//go:build linux

package prometheus_test

import (
	"context"
	"fmt"
	"log"

	client "github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
	"github.com/sockring/uring/socketops/prometheus"
)

// The engine's figures are collected with those of the program. Package promhttp has the handler that shows them.
func ExampleNewCollector() {
	engine, err := socketops.New()
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector(map[string]*socketops.Engine{"main": engine}, nil))

	a, _, err := engine.SocketPair(unix.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := a.Send(context.Background(), []byte("hello"), 0); err != nil {
		log.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sockring_sent_bytes_total" {
			fmt.Println(f.GetName(), f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	// Output: sockring_sent_bytes_total 5
}
