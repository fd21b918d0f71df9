//go:build linux

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sockring/uring/examples/internal/bench"
)

// intList is a flag of positive numbers, separated by commas.
type intList []int

func (l *intList) String() string { return fmt.Sprint([]int(*l)) }

func (l *intList) Set(s string) error {
	*l = nil
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a positive number", field)
		}
		*l = append(*l, n)
	}
	return nil
}

// stringList is a flag of words, separated by commas.
type stringList []string

func (l *stringList) String() string { return strings.Join(*l, ",") }

func (l *stringList) Set(s string) error {
	*l = strings.Split(s, ",")
	return nil
}

// shapeList is a flag of shapes, CONNSxMSGSxSIZE, separated by commas.
type shapeList []bench.Shape

func (l *shapeList) String() string { return fmt.Sprint([]bench.Shape(*l)) }

func (l *shapeList) Set(s string) error {
	*l = nil
	for field := range strings.SplitSeq(s, ",") {
		var shape bench.Shape
		parts := strings.Split(field, "x")
		if len(parts) != 3 {
			return fmt.Errorf("%q is not CONNSxMSGSxSIZE", field)
		}
		for i, n := range []*int{&shape.Conns, &shape.Msgs, &shape.Size} {
			var err error
			if *n, err = strconv.Atoi(parts[i]); err != nil || *n < 1 {
				return fmt.Errorf("%q in %q is not a positive number", parts[i], field)
			}
		}
		*l = append(*l, shape)
	}
	return nil
}

// peerList is a flag that may be repeated: NAME=COMMAND.
type peerList []bench.Peer

func (l *peerList) String() string { return fmt.Sprint([]bench.Peer(*l)) }

var peerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (l *peerList) Set(s string) error {
	name, command, ok := strings.Cut(s, "=")
	switch {
	case !ok || command == "":
		return fmt.Errorf("%q is not NAME=COMMAND", s)
	case !peerName.MatchString(name):
		return fmt.Errorf("%q is no name: letters, digits, dot, dash and underscore", name)
	}
	*l = append(*l, bench.Peer{Name: name, Command: command})
	return nil
}

// pinning is the flag -pin: off, automatic, or two CPUs.
type pinning struct {
	on           bool
	chosen       bool
	sender, sink int
}

func (p *pinning) String() string { return "" }

// IsBoolFlag makes -pin without a value mean -pin=true.
func (p *pinning) IsBoolFlag() bool { return true }

func (p *pinning) Set(s string) error {
	if on, err := strconv.ParseBool(s); err == nil && len(s) > 1 {
		*p = pinning{on: on}
		return nil
	}
	sender, sink, _ := strings.Cut(s, ",")
	a, errA := strconv.Atoi(sender)
	b, errB := strconv.Atoi(sink)
	if errA != nil || errB != nil || a < 0 || b < 0 {
		return fmt.Errorf("%q is not SENDER,SINK: two CPU numbers", s)
	}
	*p = pinning{on: true, chosen: true, sender: a, sink: b}
	return nil
}
