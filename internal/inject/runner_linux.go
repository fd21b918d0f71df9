package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds of what the runner waits for.
const (
	startMax  = 30 * time.Second // until the process is ready
	runMax    = 60 * time.Second // for a run, whose own bounds are shorter
	attachMax = 20 * time.Second

	// idlePause is how often calls may be tried again, one after the other, while nothing happens. A Ring pauses for
	// half of that where the kernel has no memory now, or says time after time that a signal has come.
	idlePause = 200 * time.Microsecond
)

// runner runs combinations, those of a driver in one process for as long as that is as it was at first.
type runner struct {
	dir     string
	slice   bool // see combination.inSlice
	driver  string
	process *process
}

// process is a child.
type process struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	lines  chan []byte
	stderr lockedBuffer
	ended  chan struct{}
}

// lockedBuffer is what a process writes to stderr, which is read while it goes on.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// result is what became of a combination.
type result struct {
	combination
	report
	calls    int  // that were made, at least, and of these
	injected int  // that failed
	runtime  bool // Go's runtime ended the process, or stood still
}

// run runs one combination. The error is one of the runner.
func (u *runner) run(c combination) (res result, err error) {
	for range memoryTries {
		if res, err = u.runOnce(c); c.call != "mmap" || !res.runtime {
			break
		}
	}
	return res, err
}

func (u *runner) runOnce(c combination) (result, error) {
	res := result{combination: c}
	p, err := u.ready(c.driver)
	if err != nil {
		return res, err
	}
	log := filepath.Join(u.dir, "strace.log")
	tracer, err := attach(p.cmd.Process.Pid, c, log)
	if err != nil {
		return res, err
	}
	o, err := json.Marshal(order{Errno: int(c.fault.errno), Endless: c.pattern.endless})
	if err != nil {
		return res, err
	}
	limit := runMax
	text, ends := c.endsTheRuntime()
	if ends {
		limit = workMax
	}
	answer, err := p.ask(string(o), limit)
	tracer.stop()
	res.calls, res.injected = readLog(log, nil)
	if err != nil {
		u.end()
		said := p.stderr.String()
		inMemory := func(text string) bool { return strings.Contains(said, text) }
		if ends && strings.Contains(said, text) || c.call == "mmap" && slices.ContainsFunc(memoryEnds, inMemory) {
			res.runtime = true
			return res, nil
		}
		res.Broken = append(res.Broken, fmt.Sprintf("%v\n%s", err, excerpt(p.stderr.String())))
		return res, nil
	}
	if err := json.Unmarshal(answer, &res.report); err != nil {
		return res, err
	}
	if ends {
		u.end() // The runtime has repeated the call all the time, or is about to end.
		return res, nil
	}
	for _, idle := range res.Idle {
		if calls, _ := readLog(log, &idle); calls > int((idle.To-idle.From)/int64(idlePause)) {
			res.Broken = append(res.Broken, fmt.Sprintf("%d calls of %s in %v, in which nothing happened",
				calls, c.call, time.Duration(idle.To-idle.From)))
		}
	}
	return res, u.look(p, &res)
}

// look asks for what the run has left behind, now that nothing fails any more.
func (u *runner) look(p *process, res *result) error {
	answer, err := p.ask("", runMax)
	if err != nil {
		res.Broken = append(res.Broken, fmt.Sprintf("%v\n%s", err, excerpt(p.stderr.String())))
		u.end()
		return nil
	}
	var left []string
	if err := json.Unmarshal(answer, &left); err != nil {
		return err
	}
	for _, thing := range left {
		if !res.Leaked {
			res.Broken = append(res.Broken, "left behind: "+thing)
		}
	}
	if len(left) > 0 || len(res.Broken) > 0 {
		u.end()
		return nil
	}
	_, err = p.answer(startMax) // that it is ready again
	return err
}

// ready returns the process of a driver, which it starts where there is none.
func (u *runner) ready(driver string) (*process, error) {
	if u.process != nil && u.driver == driver {
		return u.process, nil
	}
	u.end()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, "-child", driver, "-dir", u.dir)}
	p.lines, p.ended = make(chan []byte, 4), make(chan struct{})
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = append(os.Environ(), "GOTRACEBACK=all", "GOGC=off", "GOMEMLIMIT=2GiB", "SOCKRING_ENGINE=")
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			p.lines <- bytes.Clone(lines.Bytes())
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	u.driver, u.process = driver, p
	if _, err := p.answer(startMax); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", driver, err, excerpt(p.stderr.String()))
	}
	return p, u.warm(p)
}

// warm has the driver do its work once with nothing that fails: what is made once for a process is there then.
func (u *runner) warm(p *process) error {
	answer, err := p.ask("{}", runMax)
	if err != nil {
		return fmt.Errorf("undisturbed: %w\n%s", err, excerpt(p.stderr.String()))
	}
	var first report
	if err := json.Unmarshal(answer, &first); err != nil {
		return err
	}
	if len(first.Broken) > 0 || first.Refuse {
		return fmt.Errorf("%s does not work undisturbed: %s", u.driver, strings.Join(first.Broken, "\n"))
	}
	if _, err = p.ask("", runMax); err != nil {
		return err
	}
	_, err = p.answer(startMax)
	return err
}

// end ends the process.
func (u *runner) end() {
	if u.process == nil {
		return
	}
	_ = u.process.cmd.Process.Kill()
	<-u.process.ended
	u.process = nil
}

// ask gives the process a line and returns its answer.
func (p *process) ask(line string, timeout time.Duration) ([]byte, error) {
	if _, err := io.WriteString(p.orders, line+"\n"); err != nil {
		return nil, err
	}
	return p.answer(timeout)
}

// answer returns the next line of the process. Of one that has none in time it gets the stacks.
func (p *process) answer(timeout time.Duration) ([]byte, error) {
	select {
	case line := <-p.lines:
		return line, nil
	case <-p.ended:
		return nil, fmt.Errorf("the process ended: %v", p.cmd.ProcessState)
	case <-time.After(timeout):
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
	}
	return nil, fmt.Errorf("no answer in %v", timeout)
}

// tracer is an strace.
type tracer struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// attach has strace attach to the process and have calls fail.
func attach(pid int, c combination, log string) (*tracer, error) {
	args := []string{"-f", "-ttt", "-o", log, "-e", "signal=none", "-e", "trace=" + c.call}
	if c.fault.name != "" {
		args = append(args, "-e", fmt.Sprintf("inject=%s:error=%s:when=%s", c.call, c.fault.name, c.pattern.when))
	}
	t := &tracer{exec.Command("strace", append(args, "-p", strconv.Itoa(pid))...), make(chan struct{})}
	messages, err := t.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (scripts/install-inject-deps installs strace)", err)
	}
	attached := make(chan string, 1)
	go func() {
		defer close(t.ended)
		lines := bufio.NewScanner(messages)
		for lines.Scan() {
			select {
			case attached <- lines.Text():
			default:
			}
		}
		_ = t.cmd.Wait()
	}()
	select {
	case line := <-attached:
		if !strings.Contains(line, "attached") {
			t.stop()
			return nil, errors.New(line)
		}
	case <-t.ended:
		return nil, errors.New("strace has ended at once")
	case <-time.After(attachMax):
		t.stop()
		return nil, fmt.Errorf("strace has not attached in %v", attachMax)
	}
	return t, nil
}

// stop has strace detach.
func (t *tracer) stop() {
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-t.ended:
	case <-time.After(attachMax):
		_ = t.cmd.Process.Kill()
		<-t.ended
	}
}

// readLog counts the calls in strace's log, all or those of a span, and those that were made to fail.
func readLog(path string, during *span) (calls, injected int) {
	log, err := os.ReadFile(path)
	if err != nil {
		return 0, 0
	}
	for _, line := range strings.Split(string(log), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(fields[2], "<...") || strings.HasPrefix(fields[2], "+++") {
			if strings.HasSuffix(line, "(INJECTED)") {
				injected++
			}
			continue
		}
		if at, err := strconv.ParseFloat(fields[1], 64); during != nil && (err != nil ||
			int64(at*1e9) < during.From || int64(at*1e9) > during.To) {
			continue
		}
		calls++
		if strings.HasSuffix(line, "(INJECTED)") {
			injected++
		}
	}
	return calls, injected
}

// excerpt returns of what a process said how it began, and the stacks that are of the library or of a driver.
func excerpt(text string) string {
	const most = 8 << 10
	var kept []string
	for i, part := range strings.Split(text, "\n\n") {
		if i == 0 || strings.Contains(part, "sockring/uring") || strings.Contains(part, "main.") {
			kept = append(kept, part)
		}
	}
	text = strings.Join(kept, "\n\n")
	return text[:min(len(text), most)]
}
