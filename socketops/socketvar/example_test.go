//go:build linux

package socketvar_test

import (
	"encoding/json"
	"expvar"
	"fmt"
	"log"

	"github.com/sockring/uring/socketops"
	"github.com/sockring/uring/socketops/socketvar"
)

// A server of net/http shows the figures at /debug/vars, with the other variables of the program.
func ExamplePublish() {
	engine, err := socketops.New()
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	if err := socketvar.Publish("sockets", engine); err != nil {
		log.Fatal(err)
	}
	var shown struct{ SocketsOpen, SocketsTotal int }
	if err := json.Unmarshal([]byte(expvar.Get("sockets").String()), &shown); err != nil {
		log.Fatal(err)
	}
	fmt.Println(shown)
	fmt.Println(socketvar.Publish("sockets", engine))
	// Output:
	// {0 0}
	// socketvar: there is a variable "sockets"
}
