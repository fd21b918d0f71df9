package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes on a command line, with KiB or MiB or without.
type Size int

// String returns the size for people.
func (s *Size) String() string { return Bytes(int64(*s)) }

// Set parses a size.
func (s *Size) Set(text string) error {
	unit := 1
	for suffix, size := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSpace(number), size
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxInt/unit {
		return errors.New("want bytes, such as 65536, 64KiB or 1MiB")
	}
	*s = Size(n * unit)
	return nil
}

// Bytes is a number of bytes for people.
func Bytes(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.size {
			return strconv.FormatFloat(float64(n)/float64(unit.size), 'f', 1, 64) + " " + unit.name
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
