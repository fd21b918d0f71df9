//go:build linux

package conformance_test

import (
	"testing"

	"github.com/sockring/uring/internal/enginetest"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
	"github.com/sockring/uring/socketops/conformance"
)

func TestMain(m *testing.M) { testutil.Main(m) }

func TestConformance(t *testing.T) {
	for _, b := range enginetest.Backends(t) {
		t.Run(string(b), func(t *testing.T) {
			conformance.Run(t, func(t testing.TB) *socketops.Engine {
				e, err := socketops.New(socketops.WithBackend(b))
				testutil.SkipIfUnsupported(t, err)
				if err != nil {
					t.Fatal(err)
				}
				return e
			})
		})
	}
}
