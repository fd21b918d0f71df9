//go:build linux

package apidriver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

// report is what command driven says of a call: see there.
type report struct {
	N       int
	Name    string
	Call    string
	Ended   bool
	Panic   string
	Error   string
	Returns bool
	Wrong   []string
}

// crashesMax ends the test where everything crashes.
const crashesMax = 40

// TestEveryExportWithBadArguments calls everything that the packages export.
func TestEveryExportWithBadArguments(t *testing.T) { // found 26 and 30
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "it runs another program, which the detector does not see")
	}
	testutil.InSource(t)
	found, _ := exports(t)
	program := build(t, found.table(t))
	called := map[string]bool{}
	calls, crashes := 0, 0
	for from := 0; crashes < crashesMax; crashes++ {
		reports, stderr, err := run(t, program, from)
		for _, r := range reports {
			if !r.Ended {
				continue
			}
			calls++
			called[r.Name] = true
			found.judge(t, r)
		}
		if err == nil {
			break
		}
		require.NotEmpty(t, reports, stderr)
		last := reports[len(reports)-1]
		t.Errorf("%s ends the program, or does not end: %v\n%s", last.Call, err, clipped(stderr))
		called[last.Name] = true
		from = last.N + 1
	}
	for name := range found.params {
		if !called[name] && !found.abstract(name) {
			t.Errorf("%s was not called", name)
		}
	}
	t.Logf("%d functions and methods, %d calls", len(called), calls)
}

// run runs the program from a call on, and returns what it reported, its standard error, and how it failed, if it did.
func run(t *testing.T, program string, from int) (reports []report, stderr string, failed error) {
	t.Helper()
	in, out, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	drive := exec.Command(program, "-from", strconv.Itoa(from))
	drive.Dir = t.TempDir()
	drive.ExtraFiles = []*os.File{out}
	var errs bytes.Buffer
	drive.Stderr = &errs
	require.NoError(t, drive.Start())
	require.NoError(t, out.Close())
	limit := time.AfterFunc(5*time.Minute, func() { _ = drive.Process.Kill() })
	defer limit.Stop()
	for d := json.NewDecoder(in); ; {
		var r report
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		if last := len(reports) - 1; last >= 0 && reports[last].N == r.N {
			reports[last] = r
			continue
		}
		reports = append(reports, r)
	}
	failed = drive.Wait()
	return reports, errs.String(), failed
}

func clipped(text string) string {
	const most = 6000
	if len(text) > most {
		return text[:most] + "\n..."
	}
	return text
}

var panics = regexp.MustCompile(`\bpanics?\b`)

// judge holds that a call that came back is documented to panic if it did, and has not called a success what cannot be
// one.
func (a *api) judge(t *testing.T, r report) {
	t.Helper()
	parts := strings.SplitN(r.Name, ".", 3)
	switch {
	case strings.HasPrefix(r.Panic, "driven: "):
		t.Errorf("%s: %s", r.Call, r.Panic)
	case r.Panic != "" && strings.Contains(r.Call, "[nil]"):
		if !panics.MatchString(a.docs[parts[0]]) {
			t.Errorf("%s panics, and package %s does not say that a nil receiver does: %s", r.Call, parts[0], r.Panic)
		}
	case r.Panic != "":
		documented := a.docs[r.Name]
		if strings.Contains(r.Call, "ctx nil") || strings.Contains(r.Call, "=nil)") {
			documented += a.docs[parts[0]]
		}
		if !panics.MatchString(documented) {
			t.Errorf("%s panics, and is not documented to: %s", r.Call, r.Panic)
		}
	case r.Returns && r.Error == "" && len(r.Wrong) > 0 && !harmless(r):
		t.Errorf("%s has no error", r.Call)
	}
}

// abstract reports whether a method is that of an interface, which has no code.
func (a *api) abstract(name string) bool {
	parts := strings.SplitN(name, ".", 3)
	return len(parts) == 3 && (parts[1] == "Sink" || parts[1] == "Source")
}

// harmlessCalls are calls with wrong arguments whose success says the truth, with the reason.
var harmlessCalls = []struct{ call, reason string }{
	{`.*\.Close\[closed\]`, "Close may be called again"},
	{`aio\.Queue\.CloseNow\[closed\].*`, "it is Close"},
	{`aio\.IOCB\..*\[closed\].*`, "the memory is the program's for as long as it has it; Submit refuses it"},
	{`socketops\.Socket\.(Try)?SendFile\[live\]\(n=.*\)`, "a negative length is up to the end of the file"},
	{`uring\.BufRing\.(Consume|Settle)\[.*`, "a completion without a buffer concerns no buffer ring"},
	{`.*\.Close\[zero\]|aio\.Queue\.CloseNow\[zero\].*`, "a zero value is closed, and Close may be called again"},
	{`.*\.Close\[nil\]`, "nothing was made, and there is nothing to close"},
	{`socketops\.Op\.Err\[closed\]`, "it tells whether the operation was begun, and it was"},
	{`uring\.SQE\.Prep\w+\[live\]\((fd|index|backlog)=-1\)`, "it is the completion that says EBADF, as the kernel has it"},
	{`uring\.SQE\.Prep\w+\[live\]\((addr|info|ev)=nil\)`, "nobody asks for the address or the result, or EPOLL_CTL_DEL"},
	{`uring\.SQE\.(SetFlags|SetIOPrio|SetLen|BufferSelect)\[(zero|nil|closed)\].*`, "the Prep of that entry has said it"},
	{`uring\.Ring\.SkipSuccess\[.*`, "the Prep of the entry has said it, or the entry is gone"},
	{`.*\.Err\[zero\]`, "nothing was sent, so nothing has failed"},
	{`.*\.HandOver\[live\]\(release=nil\)`, "nobody is to be told"},
	{`socketops\.Socket\..*Sendv?To\[live\]\(to=zero address\)`, "it is the peer that the socket is connected to"},
}

var harmlessPatterns = func() (all []*regexp.Regexp) {
	for _, h := range harmlessCalls {
		all = append(all, regexp.MustCompile("^"+h.call+"$"))
	}
	return all
}()

func harmless(r report) bool {
	return slices.ContainsFunc(harmlessPatterns, func(p *regexp.Regexp) bool { return p.MatchString(r.Call) })
}
