package uring

import (
	"testing"

	"github.com/sockring/uring/internal/testutil"
)

func TestEveryEntryPointHasAnExample(t *testing.T) { testutil.RequireExamples(t) }
