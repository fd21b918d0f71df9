package proto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Result is what a sender process prints when it is done: one line of JSON on its standard output.
type Result struct {
	// Messages that left in the measured window, all connections together.
	Messages uint64 `json:"messages"`
	// ElapsedNS is the length of the window in nanoseconds, as the sender measured it.
	ElapsedNS int64 `json:"elapsed_ns"`
	// CPUNS is user and system time of the sender's process in the window, in nanoseconds. An outside
	// program may leave it out.
	CPUNS int64 `json:"cpu_ns,omitempty"`
	// Syscalls is how many calls into the kernel the window's messages took. An outside program may leave
	// it out.
	Syscalls uint64 `json:"syscalls,omitempty"`
	// Sent counts the messages of each connection, by its index, in the process's whole life.
	Sent []uint64 `json:"sent"`
	// Unsupported says why this machine or this process cannot run the sender at all; nothing else counts
	// then.
	Unsupported string `json:"unsupported,omitempty"`
}

// Write prints the result as one line.
func (r Result) Write(w io.Writer) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// ParseResult reads what a sender printed: the last line that is not empty.
func ParseResult(stdout []byte) (Result, error) {
	stdout = bytes.TrimSpace(stdout)
	line := stdout[bytes.LastIndexByte(stdout, '\n')+1:]
	if len(line) == 0 {
		return Result{}, errors.New("the sender printed no result")
	}
	var r Result
	if err := json.Unmarshal(line, &r); err != nil {
		return Result{}, fmt.Errorf("result line %.80q: %w", line, err)
	}
	return r, nil
}

// Check says whether the result can be one of the job.
func (r Result) Check(j Job) error {
	var sent uint64
	for _, n := range r.Sent {
		sent += n
	}
	switch {
	case len(r.Sent) != j.Conns:
		return fmt.Errorf(`"sent" has %d connections, want %d`, len(r.Sent), j.Conns)
	case r.Messages == 0 || r.ElapsedNS <= 0:
		return fmt.Errorf(`%d messages in %d ns`, r.Messages, r.ElapsedNS)
	case r.Messages > sent:
		return fmt.Errorf("%d messages in the window, but only %d in all", r.Messages, sent)
	}
	return nil
}
