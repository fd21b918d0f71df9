//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// endpoint is an address of a command line.
type endpoint struct {
	network string // tcp or unix
	host    string // of tcp: a name, an address, or "" for all addresses
	port    uint16
	path    string // of unix
}

func parseEndpoint(s string) (endpoint, error) {
	network, rest, _ := strings.Cut(s, ":")
	switch network {
	case "unix":
		if rest == "" {
			return endpoint{}, errors.New("want unix:PATH or unix:@NAME")
		}
		return endpoint{network: network, path: rest}, nil
	case "tcp":
		host, port, err := net.SplitHostPort(rest)
		if err != nil {
			return endpoint{}, fmt.Errorf("want tcp:HOST:PORT: %w", err)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return endpoint{}, errors.New("want tcp:HOST:PORT with the port's number")
		}
		return endpoint{network: network, host: host, port: uint16(number)}, nil
	}
	return endpoint{}, errors.New("want tcp:HOST:PORT or unix:PATH")
}

func (at endpoint) String() string {
	if at.network == "unix" {
		return "unix:" + at.path
	}
	return "tcp:" + net.JoinHostPort(at.host, strconv.Itoa(int(at.port)))
}

// addrs returns the socket addresses that the endpoint stands for, in the order in which they are to be tried. Package
// net looks up names, and is used for nothing else.
func (at endpoint) addrs(ctx context.Context) ([]socketops.Addr, error) {
	if at.network == "unix" {
		return []socketops.Addr{socketops.UnixAddr(at.path)}, nil
	}
	ips := []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}
	if at.host != "" {
		var err error
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", at.host); err != nil {
			return nil, err
		}
	}
	var addrs []socketops.Addr
	for _, ip := range ips {
		addrs = append(addrs, socketops.IPAddr(netip.AddrPortFrom(ip.Unmap(), at.port)))
	}
	return addrs, nil
}

// first calls try for the addresses of an endpoint, each with a new socket, until one succeeds. Its error is that of
// the last.
func (p *proxy) first(ctx context.Context, at endpoint,
	try func(*socketops.Socket, socketops.Addr) error,
) (*socketops.Socket, error) {
	addrs, err := at.addrs(ctx)
	for _, a := range addrs {
		var s *socketops.Socket
		if s, err = p.engine.Socket(a.Family(), unix.SOCK_STREAM, protocol(a)); err != nil {
			continue // There may be no IPv6 here.
		}
		if err = try(s, a); err == nil {
			return s, nil
		}
		s.Close()
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func protocol(a socketops.Addr) socketops.Protocol {
	if a.Family() == unix.AF_UNIX {
		return 0
	}
	return unix.IPPROTO_TCP
}

// isTCP reports whether a socket is one of TCP, and not of a unix socket.
func isTCP(s *socketops.Socket) bool { return s.Family() != unix.AF_UNIX }

// reset ends a connection so that the peer learns that it was cut off, which only TCP has a way to say.
func reset(s *socketops.Socket) {
	if isTCP(s) {
		_ = s.SetLinger(socketops.Linger{Enabled: true}) // It fails on sockets that are closed.
	}
	s.Close()
}
