package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// portName is the serial port for messages. The kernel's log has the first one, which on arm64 is of another kind than
// this one and has a name of its own.
func portName() string {
	if runtime.GOARCH == "arm64" {
		return "/dev/ttyS0"
	}
	return "/dev/ttyS1"
}

// port is the serial port to the host.
type port struct {
	mu   sync.Mutex
	file *os.File
}

// openPort opens the port and takes the terminal out of it: nothing is echoed, translated or taken for a key.
func openPort() (*port, error) {
	file, err := os.OpenFile(portName(), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	settings, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", portName(), os.NewSyscallError("TCGETS", err))
	}
	settings.Iflag, settings.Oflag, settings.Lflag = 0, 0, 0
	settings.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	if err := unix.IoctlSetTermios(int(file.Fd()), unix.TCSETS, settings); err != nil {
		return nil, fmt.Errorf("%s: %w", portName(), os.NewSyscallError("TCSETS", err))
	}
	return &port{file: file}, nil
}

// send panics when the port fails: then the host can only be told by turning the power off.
func (p *port) send(m wire.Message) {
	line, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.file.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

// drain waits until the host has everything.
func (p *port) drain() {
	const wait = 1 // of TCSBRK: tcdrain(3)
	unix.IoctlSetInt(int(p.file.Fd()), unix.TCSBRK, wait)
}

// output is the standard output and standard error of a package's tests. It sends whole lines, as far as tests
// print them: a character may consist of bytes that come in two pieces.
type output struct {
	port *port
	pkg  string
	rest string
	said int // since the testing package's last word
}

// saidMax is how much of a test's output is sent. A serial port is slow: the comparison of two megabytes that a failed
// assertion prints would take minutes.
const saidMax = 64 << 10

// mark opens the testing package's own words in the output of -test.v=test2json.
const mark = "\x16"

func (o *output) Write(p []byte) (int, error) {
	o.rest += string(p)
	end := strings.LastIndexByte(o.rest, '\n') + 1
	o.send(o.rest[:end])
	o.rest = o.rest[end:]
	return len(p), nil
}

// flush sends what came after the last whole line.
func (o *output) flush() {
	o.send(o.rest)
	o.rest = ""
}

func (o *output) send(text string) {
	var data strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, mark) {
			o.said = 0
		}
		switch before := o.said; {
		case before > saidMax:
			continue
		case before+len(line) > saidMax:
			line = "... and more, which is left out\n"
			o.said = saidMax
		}
		o.said += len(line)
		data.WriteString(line)
	}
	if data.Len() > 0 {
		o.port.send(wire.Message{Kind: wire.Output, Package: o.pkg, Data: data.String()})
	}
}
