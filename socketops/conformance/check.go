//go:build linux

package conformance

import (
	"errors"
	"reflect"
)

// ok fails the test where there is an error.
func (t *T) ok(err error) {
	if err != nil {
		t.Helper()
		t.Fatalf("unexpected error: %v", err)
	}
}

// is fails the test where err is not what errors.Is calls target.
func (t *T) is(err, target error) {
	if !errors.Is(err, target) {
		t.Helper()
		t.Fatalf("the error is %v, not %v", err, target)
	}
}

// isNot fails the test where err is nil, or is what errors.Is calls target.
func (t *T) isNot(err, target error) {
	if err == nil || errors.Is(err, target) {
		t.Helper()
		t.Fatalf("the error is %v", err)
	}
}

// equal fails the test where two values differ, of which the first is the one that is right.
func (t *T) equal(want, got any) {
	if !reflect.DeepEqual(want, got) {
		t.Helper()
		t.Fatalf("got %v, want %v", brief(got), brief(want))
	}
}

// that fails the test where something does not hold.
func (t *T) that(holds bool, format string, args ...any) {
	if !holds {
		t.Helper()
		t.Fatalf("it does not hold that "+format, args...)
	}
}

// brief keeps what is printed of long data short.
func brief(v any) any {
	const most = 64
	switch v := v.(type) {
	case []byte:
		if len(v) > most {
			return v[:most]
		}
		return v
	case string:
		return v[:min(len(v), most)]
	}
	return v
}
