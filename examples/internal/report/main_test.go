package report_test

//kerneltest:on it has nothing to do with io_uring

import (
	"testing"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }
