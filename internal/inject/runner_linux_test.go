package main

//kerneltest:host the program that is tested runs where strace is

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte(
		"7 10.000000 sendto(3, \"a\", 1, 0, NULL, 0) = 1\n"+
			"8 11.000000 sendto(3, \"b\", 1, 0, NULL, 0 <unfinished ...>\n"+
			"8 12.000000 <... sendto resumed>) = -1 EPERM (Operation not permitted) (INJECTED)\n"+
			"7 13.000000 sendto(3, \"c\", 1, 0, NULL, 0) = -1 EPERM (Operation not permitted) (INJECTED)\n"+
			"7 14.000000 +++ exited with 0 +++\n"), 0o600))
	calls, injected := readLog(path, nil)
	require.Equal(t, []int{3, 2}, []int{calls, injected})
	calls, _ = readLog(path, &span{From: 12e9, To: 14e9})
	require.Equal(t, 1, calls, "while nothing happened")
}

func TestTableSaysTheWorst(t *testing.T) {
	row := func(f fault, p pattern, r report, injected int) result {
		return result{combination: combination{"ring", "mmap", f, p}, report: r, calls: 1, injected: injected}
	}
	text := table([]result{
		row(faults[0], patterns[0], report{Refuse: true}, 1),
		row(faults[0], patterns[3], report{Whole: true}, 1),
		row(faults[1], patterns[0], report{Whole: true, Told: []string{"New"}}, 1),
		row(faults[1], patterns[3], report{Whole: true, Told: []string{"New"}}, 1),
		row(faults[5], patterns[0], report{Whole: true, Broken: []string{"a byte"}}, 1),
		row(faults[5], patterns[3], report{Whole: true}, 0),
		{combination: combination{driver: "ring", call: "socket"}},
	})
	require.Equal(t, "| `ring` | EINTR | EAGAIN | EPERM |\n| --- | --- | --- | --- |\n"+
		"| `mmap` | refused, hidden | told | **broken**, - |\n\nNot called: `socket`.\n\n", text)
}

// TestFlowFindsWhatIsWrong holds that the workload would notice what it is there to notice.
func TestFlowFindsWhatIsWrong(t *testing.T) {
	bytes := func(f *flow, from, to int) []byte {
		b := make([]byte, to-from)
		f.fill(b, from)
		return b
	}
	for name, arrive := range map[string]func(f *flow){
		"lost":      func(f *flow) { f.arrived(bytes(f, 0, 100)); f.arrived(bytes(f, 101, 200)) },
		"doubled":   func(f *flow) { f.arrived(bytes(f, 0, 100)); f.arrived(bytes(f, 99, 200)) },
		"reordered": func(f *flow) { f.arrived(bytes(f, 100, 200)); f.arrived(bytes(f, 0, 100)) },
	} {
		r := newRun(order{})
		arrive(r.newFlow(name, 200))
		require.NotEmpty(t, r.report.Broken, name)
	}
	r := newRun(order{})
	f := r.newFlow("whole", 200)
	f.arrived(bytes(f, 0, 77))
	f.arrived(bytes(f, 77, 200))
	require.Empty(t, r.report.Broken)

	o := r.once("callback")
	o.call()
	require.True(t, o.came())
	require.Empty(t, r.report.Broken)
	o.call()
	require.NotEmpty(t, r.report.Broken, "a second callback")
}
