package aio

import (
	"testing"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) {
	testutil.MainWithExamples(m, map[string]func() error{"Example*": exampleContext})
}

// exampleContext tries what all examples do first.
func exampleContext() error {
	c, err := NewContext(1)
	if err != nil {
		return err
	}
	return c.Close()
}
