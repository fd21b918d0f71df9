//go:build linux

package sink

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/sockring/uring/examples/internal/affinity"
)

// Client steers a sink process. It is for one goroutine.
type Client struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers chan answerOrError
}

type answerOrError struct {
	answer answer
	err    error
}

// Start runs cmd, a program that calls Serve, on the given CPU, or on any if cpu is negative.
func Start(cmd *exec.Cmd, cpu int) (*Client, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := affinity.Start(cmd, cpu); err != nil {
		return nil, fmt.Errorf("start the sink: %w", err)
	}
	c := &Client{cmd: cmd, stdin: stdin, answers: make(chan answerOrError, 1)}
	go c.readAnswers(stdout)
	return c, nil
}

// readAnswers hands on each line of the sink until it ends; its last word is an error.
func (c *Client) readAnswers(stdout io.Reader) {
	defer close(c.answers)
	dec := json.NewDecoder(bufio.NewReader(stdout))
	for {
		var a answer
		if err := dec.Decode(&a); err != nil {
			c.answers <- answerOrError{err: fmt.Errorf("sink: %w", err)}
			return
		}
		c.answers <- answerOrError{answer: a}
	}
}

// Open makes the sink listen and returns the address to connect to.
func (c *Client) Open(ctx context.Context, spec Spec) (string, error) {
	a, err := c.ask(ctx, order{Op: opOpen, Spec: spec})
	return a.Addr, err
}

// Totals waits until every connection of the run has ended, closes the listener and returns what each
// connection received.
func (c *Client) Totals(ctx context.Context) ([]Total, error) {
	a, err := c.ask(ctx, order{Op: opClose})
	return a.Totals, err
}

func (c *Client) ask(ctx context.Context, o order) (answer, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.stdin.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("sink: %w", err)
	}
	select {
	case <-ctx.Done():
		return answer{}, fmt.Errorf("sink: %w", context.Cause(ctx))
	case got, ok := <-c.answers:
		switch {
		case !ok:
			return answer{}, errors.New("sink: ended")
		case got.err != nil:
			return answer{}, got.err
		case got.answer.Error != "":
			return answer{}, fmt.Errorf("sink: %s", got.answer.Error)
		}
		return got.answer, nil
	}
}

// Stop ends the process at once.
func (c *Client) Stop() error {
	c.stdin.Close()
	c.cmd.Process.Kill()
	for range c.answers {
	}
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
