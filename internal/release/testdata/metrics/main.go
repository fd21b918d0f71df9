// Command server is a program outside of the repository that shows the library's figures to Prometheus.
package main

import (
	"fmt"
	"log"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/sockring/uring/socketops"
	"github.com/sockring/uring/socketops/prometheus"
)

func main() {
	engine, err := socketops.New()
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector(map[string]*socketops.Engine{"main": engine}, nil))
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("prometheus:", len(families) > 0)
}
