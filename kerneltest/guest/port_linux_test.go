package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// sent returns what write makes of the output of a package.
func sent(t *testing.T, write func(*output)) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	read := make(chan string)
	go func() {
		var all strings.Builder
		_ = wire.Read(r, func(m wire.Message) { all.WriteString(m.Data) })
		read <- all.String()
	}()
	o := &output{port: &port{file: w}, pkg: "m/p"}
	write(o)
	o.flush()
	require.NoError(t, w.Close())
	return <-read
}

func TestOutputIsSentAsItIs(t *testing.T) {
	text := mark + "=== RUN   TestA\nüber\n" + mark + "--- PASS: TestA (0.00s)\nno line end"
	require.Equal(t, text, sent(t, func(o *output) {
		for i := range len(text) { // characters of several bytes come in pieces
			n, err := o.Write([]byte{text[i]})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	}))
}

func TestMuchOutputOfATestIsLeftOut(t *testing.T) {
	line := strings.Repeat("x", 1023) + "\n"
	got := sent(t, func(o *output) {
		for _, name := range []string{"TestA", "TestB"} {
			_, _ = o.Write([]byte(mark + "=== RUN   " + name + "\n"))
			for range 1000 {
				_, _ = o.Write([]byte(line))
			}
			_, _ = o.Write([]byte(mark + "--- FAIL: " + name + " (0.00s)\n"))
		}
	})
	require.Less(t, len(got), 2*(saidMax+1000))
	require.Greater(t, len(got), saidMax)
	require.Equal(t, 2, strings.Count(got, "and more, which is left out"))
	require.Contains(t, got, mark+"--- FAIL: TestA")
	require.Contains(t, got, mark+"--- FAIL: TestB")
}
