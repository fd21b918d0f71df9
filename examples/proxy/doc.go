// Proxy forwards connections of TCP and unix sockets, by package socketops. Try
//
//	go run ./examples/proxy -listen tcp:127.0.0.1:8000 -to unix:/run/app.sock
//
// and, for what else it can do, -h. It shows how a server is built on sockets whose engine is chosen at run time: what
// waits in the background (GoSend), what waits in a goroutine of its own (Recv, Accept), half-closed connections,
// back-pressure, resets, and an end in good order.
//
// Minimum kernel: none. Linux AIO or plain system calls serve where io_uring does not, and the first lines say why. To
// test it by hand: nc -l 8001, then proxy -listen tcp::8000 -to tcp:localhost:8001, then nc localhost 8000.
package main
