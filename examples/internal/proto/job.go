package proto

import (
	"fmt"
	"strconv"
	"time"
)

// The networks a job can name.
const (
	TCP  = "tcp"
	Unix = "unix"
)

// Environment variables of a job.
const (
	envNet     = "BUNDLEBENCH_NET"
	envAddr    = "BUNDLEBENCH_ADDR"
	envConns   = "BUNDLEBENCH_CONNS"
	envMsgs    = "BUNDLEBENCH_MSGS"
	envSize    = "BUNDLEBENCH_SIZE"
	envDur     = "BUNDLEBENCH_DUR_NS"
	envWarmup  = "BUNDLEBENCH_WARMUP_NS"
	envVerify  = "BUNDLEBENCH_VERIFY"
	envSendBuf = "BUNDLEBENCH_SNDBUF"
)

// Limits of a job. One bundle's buffers fit one provided-buffer ring, which has at most MsgsMax entries,
// and one submit's sends fit one submission queue of as many.
const (
	ConnsMax = 16384
	MsgsMax  = 32768
	SizeMax  = 64 << 20
)

// Job is what one sender process is asked to do: to connect Conns stream sockets to Addr and to send
// batches, Msgs messages of Size bytes on each of them, for Warmup and then for Dur.
type Job struct {
	Net     string // TCP or Unix
	Addr    string // host:port, or the path of the socket
	Conns   int
	Msgs    int
	Size    int           // bytes
	Dur     time.Duration // the measured window
	Warmup  time.Duration // sent before it, not measured
	Verify  bool          // fill the messages as content.go defines
	SendBuf int           // SO_SNDBUF in bytes; 0 leaves the kernel's default
}

// Env returns the job as environment variables, "NAME=value" each.
func (j Job) Env() []string {
	verify := "0"
	if j.Verify {
		verify = "1"
	}
	return []string{
		envNet + "=" + j.Net,
		envAddr + "=" + j.Addr,
		envConns + "=" + strconv.Itoa(j.Conns),
		envMsgs + "=" + strconv.Itoa(j.Msgs),
		envSize + "=" + strconv.Itoa(j.Size),
		envDur + "=" + strconv.FormatInt(int64(j.Dur), 10),
		envWarmup + "=" + strconv.FormatInt(int64(j.Warmup), 10),
		envVerify + "=" + verify,
		envSendBuf + "=" + strconv.Itoa(j.SendBuf),
	}
}

// JobFromEnv reads the job that Env wrote; getenv is os.Getenv.
func JobFromEnv(getenv func(string) string) (Job, error) {
	var firstErr error
	number := func(name string) int64 {
		n, err := strconv.ParseInt(getenv(name), 10, 64)
		if err != nil && firstErr == nil {
			firstErr = fmt.Errorf("%s=%q: %w", name, getenv(name), err)
		}
		return n
	}
	j := Job{
		Net:     getenv(envNet),
		Addr:    getenv(envAddr),
		Conns:   int(number(envConns)),
		Msgs:    int(number(envMsgs)),
		Size:    int(number(envSize)),
		Dur:     time.Duration(number(envDur)),
		Warmup:  time.Duration(number(envWarmup)),
		Verify:  number(envVerify) != 0,
		SendBuf: int(number(envSendBuf)),
	}
	if firstErr != nil {
		return Job{}, firstErr
	}
	return j, j.Check()
}

// Check says what is wrong with the job's numbers.
func (j Job) Check() error {
	switch {
	case j.Net != TCP && j.Net != Unix:
		return fmt.Errorf("network %q, want %s or %s", j.Net, TCP, Unix)
	case j.Conns < 1 || j.Conns > ConnsMax:
		return fmt.Errorf("%d connections, want 1 to %d", j.Conns, ConnsMax)
	case j.Msgs < 1 || j.Msgs > MsgsMax:
		return fmt.Errorf("%d messages a batch, want 1 to %d", j.Msgs, MsgsMax)
	case j.Size < 1 || j.Size > SizeMax:
		return fmt.Errorf("messages of %d bytes, want 1 to %d", j.Size, SizeMax)
	case j.Dur < 0 || j.Warmup < 0:
		return fmt.Errorf("negative duration")
	case j.SendBuf < 0:
		return fmt.Errorf("send buffer of %d bytes", j.SendBuf)
	}
	return nil
}
