package testevent

//kerneltest:on it has nothing to do with io_uring

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	var events []Event
	var others []string
	input := `{"Action":"run","Package":"m/p","Test":"TestA"}` + "\nnot an event\n" + `{"Action":"pass","Package":"m/p"}`
	require.NoError(t, Read(strings.NewReader(input), func(e Event) { events = append(events, e) },
		func(line string) { others = append(others, line) }))
	require.Equal(t, []Event{
		{Action: "run", Package: "m/p", Test: "TestA"}, {Action: "pass", Package: "m/p"},
	}, events)
	require.Equal(t, []string{"not an event\n"}, others)
}

func TestSkipReason(t *testing.T) {
	tests := []struct {
		name   string
		output []string
		want   string
	}{
		{"as Skipf logs it", []string{"    a_test.go:7: bundle: no\n", "    ", "--- SKIP: TestA (0.00s)\n"}, "bundle: no"},
		{"in two lines", []string{"    a_test.go:7: bundle:\n", "        no\n"}, "bundle: no"},
		{"nothing", []string{"--- SKIP: TestA (0.00s)\n"}, "no reason given"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, SkipReason(tt.output)) })
	}
}
