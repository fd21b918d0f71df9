// Peer is an outside program for the tests of the benchmark: it speaks the protocol of PROTOCOL.md with
// the standard library alone, on purpose without any code of the benchmark. Its flags make it lie.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"time"
)

var (
	claimMore = flag.Bool("claim-more", false, "report one message more than was sent")
	corrupt   = flag.Bool("corrupt", false, "change the last byte of the first message")
	forget    = flag.Bool("forget", false, "do not open the last connection")
	swap      = flag.Bool("swap", false, "send the first two messages in the wrong order")
)

func number(name string) int {
	n, err := strconv.Atoi(os.Getenv("BUNDLEBENCH_" + name))
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return n
}

func main() {
	flag.Parse()
	conns, msgs, size := number("CONNS"), number("MSGS"), number("SIZE")
	open := conns
	if *forget {
		open--
	}
	var sockets []net.Conn
	for i := range open {
		c, err := net.Dial(os.Getenv("BUNDLEBENCH_NET"), os.Getenv("BUNDLEBENCH_ADDR"))
		if err != nil {
			log.Fatal(err)
		}
		preamble := binary.LittleEndian.AppendUint32(nil, uint32(i))
		if _, err := c.Write(preamble); err != nil {
			log.Fatal(err)
		}
		sockets = append(sockets, c)
	}
	sent := make([]uint64, conns)
	passesFor := func(ns int) uint64 {
		end := time.Now().Add(time.Duration(ns))
		for passes := uint64(1); ; passes++ {
			for i, c := range sockets {
				if _, err := c.Write(batch(i, sent[i], msgs, size)); err != nil {
					log.Fatal(err)
				}
				sent[i] += uint64(msgs)
			}
			if !time.Now().Before(end) {
				return passes
			}
		}
	}
	passesFor(number("WARMUP_NS"))
	start := time.Now()
	passes := passesFor(number("DUR_NS"))
	elapsed := time.Since(start)
	for _, c := range sockets {
		c.Close()
	}
	if *forget {
		sent[conns-1] = sent[0]
	}
	if *claimMore {
		sent[1]++
	}
	line, err := json.Marshal(map[string]any{
		"messages":   passes * uint64(msgs) * uint64(open),
		"elapsed_ns": elapsed.Nanoseconds(),
		"sent":       sent,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

// batch is what connection conn sends next, its first message being number first.
func batch(conn int, first uint64, msgs, size int) []byte {
	var b []byte
	for slot := range msgs {
		k := first + uint64(slot)
		if *swap && k < 2 {
			k = 1 - k
		}
		msg := make([]byte, size)
		for i := range msg {
			if i < 8 {
				msg[i] = byte(k >> (8 * i))
			} else {
				msg[i] = byte(conn*131 + slot*31 + i)
			}
		}
		if *corrupt && k == 0 {
			msg[size-1] ^= 1
		}
		b = append(b, msg...)
	}
	return b
}
