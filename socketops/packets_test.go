//go:build linux

package socketops

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSendPacketsIsContiguous(t *testing.T) { onEngines(t, testSendPacketsIsContiguous) }

func testSendPacketsIsContiguous(t *testing.T, e *Engine) {
	t.Run("B35", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		data := bytes.Repeat([]byte("p"), 300<<10)
		f := fileOf(t, data)
		const senders, lists = 4, 5
		errs := make(chan error, senders+1)
		go func() {
			var err error
			for range lists {
				_, e := a.SendPackets(lateContext(t), []Packet{{Data: data}, {File: f}, {Data: data}}, 0)
				err = errors.Join(err, e)
			}
			errs <- err
		}()
		const other = 50
		for range senders {
			go func() {
				var err error
				for range other {
					_, e := a.Send(lateContext(t), []byte("other!"), 0)
					err = errors.Join(err, e)
				}
				errs <- err
			}()
		}
		got := receiveAll(t, b, lists*3*len(data)+senders*other*6)
		for range senders + 1 {
			require.NoError(t, <-errs)
		}
		got = bytes.ReplaceAll(got, []byte("other!"), []byte{0})
		runs := bytes.FieldsFunc(got, func(r rune) bool { return r == 0 })
		for _, run := range runs {
			require.Zero(t, len(run)%(3*len(data)), "something came in between")
		}
	})
}
