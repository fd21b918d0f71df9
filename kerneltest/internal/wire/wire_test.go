package wire

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	var got []Message
	input := `{"kind":"hello","data":"6.12"}` + "\n" + `{"kind":"exit","package":"m/p","exit":2,"seconds":1.5}` + "\n" +
		`{"kind":"outp`
	require.NoError(t, Read(strings.NewReader(input), func(m Message) { got = append(got, m) }))
	require.Equal(t, []Message{
		{Kind: Hello, Data: "6.12"},
		{Kind: Exit, Package: "m/p", Exit: 2, Seconds: 1.5},
		{Kind: Fault, Data: `not a message: {"kind":"outp`},
	}, got)
}
