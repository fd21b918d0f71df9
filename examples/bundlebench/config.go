//go:build linux

package main

import (
	"slices"
	"strings"
	"time"

	"github.com/sockring/uring/examples/internal/affinity"
	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/load"
	"github.com/sockring/uring/examples/internal/proto"
)

// The defaults of -conns, -msgs and -size when one of the others is given.
const (
	connsDefault = 64
	msgsDefault  = 8
	sizeDefault  = 64
)

// config turns the command line into what to run: the preset, and in it what the other flags say.
func (o *options) config() (bench.Config, error) {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == o.preset })
	if i < 0 {
		return bench.Config{}, cli.Usagef("-preset %s: want quick or full", o.preset)
	}
	p := presets[i]
	cfg := bench.Config{
		Shapes: p.shapes, Modes: o.modes, Peers: o.peers,
		Rounds: p.rounds, Dur: p.dur, Warmup: p.warmup, Verify: o.verify,
		SenderCPU: bench.AnyCPU, SinkCPU: bench.AnyCPU, SendBuf: o.sendBuf, RecvBuf: o.recvBuf,
	}
	if o.set["rounds"] {
		cfg.Rounds = o.rounds
	}
	if o.set["dur"] {
		cfg.Dur = o.dur
		cfg.Warmup = o.dur / 8
	}
	if o.set["warmup"] {
		cfg.Warmup = o.warmup
	}
	if err := o.chooseShapes(&cfg); err != nil {
		return bench.Config{}, err
	}
	if err := o.choosePins(&cfg); err != nil {
		return bench.Config{}, err
	}
	return cfg, checkConfig(cfg)
}

// chooseShapes puts the shapes of the command line in the place of the preset's, and its networks in the
// place of theirs.
func (o *options) chooseShapes(cfg *bench.Config) error {
	lists := o.set["conns"] || o.set["msgs"] || o.set["size"]
	switch {
	case lists && o.set["shape"]:
		return cli.Usagef("-shape says it all: leave out -conns, -msgs and -size")
	case o.set["shape"]:
		cfg.Shapes = o.shapes
	case lists:
		cfg.Shapes = cross(o.conns, o.msgs, o.size)
	}
	nets := []string(o.nets)
	if len(nets) == 0 && (lists || o.set["shape"]) {
		nets = []string{proto.TCP}
	}
	if len(nets) == 0 {
		return nil
	}
	var shapes []bench.Shape
	for _, net := range nets {
		for _, s := range cfg.Shapes {
			s.Net = net
			if !slices.Contains(shapes, s) {
				shapes = append(shapes, s)
			}
		}
	}
	cfg.Shapes = shapes
	return nil
}

// cross combines each number of connections with each of messages and each size.
func cross(conns, msgs, sizes []int) []bench.Shape {
	orDefault := func(list []int, n int) []int {
		if len(list) == 0 {
			return []int{n}
		}
		return list
	}
	var shapes []bench.Shape
	for _, c := range orDefault(conns, connsDefault) {
		for _, m := range orDefault(msgs, msgsDefault) {
			for _, s := range orDefault(sizes, sizeDefault) {
				shapes = append(shapes, bench.Shape{Conns: c, Msgs: m, Size: s})
			}
		}
	}
	return shapes
}

func (o *options) choosePins(cfg *bench.Config) error {
	switch {
	case !o.pin.on:
	case o.pin.chosen:
		cfg.SenderCPU, cfg.SinkCPU = o.pin.sender, o.pin.sink
	default:
		var err error
		if cfg.SenderCPU, cfg.SinkCPU, err = affinity.Pair(); err != nil {
			return cli.Usagef("-pin: %w", err)
		}
	}
	return nil
}

func checkConfig(cfg bench.Config) error {
	for _, m := range cfg.Modes {
		if !slices.Contains(load.Names(), m) {
			return cli.Usagef("-modes: no mode %q, want some of %s", m, strings.Join(load.Names(), ","))
		}
	}
	names := cfg.Contenders()
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return cli.Usagef("%q is named twice by -modes and -peer", names[i])
		}
	}
	if cfg.Rounds < 1 {
		return cli.Usagef("-rounds %d: want at least 1", cfg.Rounds)
	}
	if cfg.Dur < time.Millisecond {
		return cli.Usagef("-dur %v: want at least 1ms", cfg.Dur)
	}
	if cfg.RecvBuf < 0 {
		return cli.Usagef("-rcvbuf %d: want a number of bytes", cfg.RecvBuf)
	}
	for _, s := range cfg.Shapes {
		job := proto.Job{
			Net: s.Net, Conns: s.Conns, Msgs: s.Msgs, Size: s.Size,
			Dur: cfg.Dur, Warmup: cfg.Warmup, SendBuf: cfg.SendBuf,
		}
		if err := job.Check(); err != nil {
			return cli.Usagef("%s: %w", s, err)
		}
	}
	return nil
}
