//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// program is a proxy in a process of its own.
type program struct {
	cmd    *exec.Cmd
	at     endpoint
	lines  []string // of its standard error output so far
	errors *bufio.Scanner
	output bytes.Buffer
}

// runProgram starts the proxy with arguments, and waits until it listens.
func runProgram(t *testing.T, args ...string) *program {
	t.Helper()
	pr := &program{cmd: exec.Command(os.Args[0])}
	pr.cmd.Env = append(os.Environ(), mainVariable+"="+strings.Join(args, "\n"),
		"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	pr.cmd.Stdout = &pr.output
	r, err := pr.cmd.StderrPipe()
	require.NoError(t, err)
	pr.errors = bufio.NewScanner(r)
	require.NoError(t, pr.cmd.Start())
	t.Cleanup(func() {
		pr.cmd.Process.Kill()
		pr.cmd.Wait()
	})
	at, _, _ := strings.Cut(pr.await(t, "proxy: tcp:"), " to ")
	pr.at, err = parseEndpoint("tcp:" + at)
	require.NoError(t, err)
	return pr
}

// await reads until a line that begins with prefix, and returns the rest of it.
func (pr *program) await(t *testing.T, prefix string) (rest string) {
	t.Helper()
	for pr.errors.Scan() {
		pr.lines = append(pr.lines, pr.errors.Text())
		if rest, ok := strings.CutPrefix(pr.errors.Text(), prefix); ok {
			return rest
		}
	}
	require.FailNow(t, "it has ended without saying "+prefix, "%q", pr.lines)
	return ""
}

// wait returns how the program has ended, and the rest of its standard error output.
func (pr *program) wait(t *testing.T) (status int, said string) {
	t.Helper()
	for pr.errors.Scan() {
		pr.lines = append(pr.lines, pr.errors.Text())
	}
	err := pr.cmd.Wait()
	if _, ok := err.(*exec.ExitError); !ok {
		require.NoError(t, err)
	}
	return pr.cmd.ProcessState.ExitCode(), strings.Join(pr.lines, "\n")
}

// summary is what -json has written.
func (pr *program) summary(t *testing.T) (s snapshot) {
	t.Helper()
	require.NoError(t, json.Unmarshal(pr.output.Bytes(), &s), pr.output.String())
	return s
}

func TestSignalLetsConnectionsFinish(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "unix")
		pr := runProgram(t, "-listen", "tcp:127.0.0.1:0", "-to", s.at.String(), "-json",
			"-engine", string(o.engine), "-copy", string(o.copy))
		client := dialTo(t, pr.at)
		target := s.take(t)
		send(t, client, "before")
		expect(t, target, "before")
		require.NoError(t, pr.cmd.Process.Signal(unix.SIGTERM))
		pr.await(t, "proxy: not listening any more; connections that have to finish: 1")
		require.False(t, listens(pr.at))
		send(t, client, "after")
		expect(t, target, "after")
		closeWrite(t, client)
		expectEnd(t, target)
		closeWrite(t, target)
		expectEnd(t, client)

		status, said := pr.wait(t)
		require.Zero(t, status, said)
		sum := pr.summary(t)
		require.Equal(t, string(o.engine), sum.Engine)
		require.EqualValues(t, len("beforeafter"), sum.Bytes.ToTarget)
		require.Zero(t, sum.Conns.Open+sum.Conns.Aborted)
	})
}

// listens reports whether connections are taken at an address.
func listens(at endpoint) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrInet4{Port: int(at.port), Addr: [4]byte{127, 0, 0, 1}}) == nil
}

func TestConnectionThatDoesNotFinishIsReset(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "tcp")
		pr := runProgram(t, "-listen", "tcp:127.0.0.1:0", "-to", s.at.String(), "-drain", "1s", "-json",
			"-engine", string(o.engine), "-copy", string(o.copy))
		finishes, stays := dialTo(t, pr.at), dialTo(t, pr.at)
		for range 2 {
			target := s.take(t)
			go echo(target)
		}
		for _, c := range []io.ReadWriter{finishes, stays} {
			_, err := io.WriteString(c, "hello")
			require.NoError(t, err)
			_, err = io.ReadFull(c, make([]byte, 5))
			require.NoError(t, err)
		}
		require.NoError(t, pr.cmd.Process.Signal(unix.SIGTERM))
		finishes.Close()
		expectReset(t, stays)

		status, said := pr.wait(t)
		require.Equal(t, 1, status)
		require.Contains(t, said, "proxy: 1 connections had not finished and were reset")
		require.EqualValues(t, 1, pr.summary(t).Conns.Aborted)
	})
}

func TestSecondSignalEndsTheWait(t *testing.T) {
	s := serve(t, "tcp")
	pr := runProgram(t, "-listen", "tcp:127.0.0.1:0", "-to", s.at.String(), "-drain", "1h", "-engine", "syscall")
	client := dialTo(t, pr.at)
	s.take(t)
	require.NoError(t, pr.cmd.Process.Signal(unix.SIGINT))
	pr.await(t, "proxy: not listening any more; connections that have to finish: 1")
	require.NoError(t, pr.cmd.Process.Signal(unix.SIGTERM))
	expectReset(t, client)
	status, said := pr.wait(t)
	require.Equal(t, 1, status, said)
	require.Contains(t, pr.output.String(), "connections  1 served, 0 refused, 1 aborted")
}

func TestStatisticsAreShown(t *testing.T) {
	s := serve(t, "tcp")
	pr := runProgram(t, "-listen", "tcp:127.0.0.1:0", "-to", s.at.String(), "-every", "10ms", "-engine", "syscall")
	client := dialTo(t, pr.at)
	target := s.take(t)
	send(t, client, "12345")
	expect(t, target, "12345")
	pr.await(t, "proxy: 1 open, 1 in all, 0 refused; to target 5 bytes, ")
	client.Close()
	target.Close()
	require.NoError(t, pr.cmd.Process.Signal(unix.SIGTERM))
	status, said := pr.wait(t)
	require.Zero(t, status, said)
}

func TestProgramThatCannotListen(t *testing.T) {
	taken := serve(t, "tcp")
	err := run([]string{"-listen", taken.at.String(), "-to", "tcp:localhost:1", "-engine", "syscall"}, nil)
	require.ErrorIs(t, err, unix.EADDRINUSE)
	require.ErrorContains(t, err, "-listen "+taken.at.String())
}
