// Package panics has a test that panics, and one that is not reached after it.
package panics

import "testing"

func TestPanics(*testing.T) { panic("on purpose") }

func TestComesAfter(*testing.T) {}
