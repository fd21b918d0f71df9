//go:build linux

package uring

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
)

// foreignUserData marks entries that tests queue past the library, as C code on the same ring would.
const foreignUserData = 0x5eed

// queueForeign puts an entry into the submission queue as it is: nothing is checked, kept alive or pinned.
func queueForeign(t testing.TB, r *Ring, e cring.SQE) {
	t.Helper()
	require.NotZero(t, r.SQSpace())
	e.UserData = foreignUserData
	tail := *r.c.SQETail
	r.c.SQEs[tail&r.sqMask] = e
	*r.c.SQETail = tail + 1
}

// foreign queues an entry past the library and returns its one completion.
func foreign(t testing.TB, r *Ring, e cring.SQE) CQE {
	t.Helper()
	queueForeign(t, r, e)
	return foreignCompletion(t, r)
}

// foreignCompletion waits for the completion of an entry that was queued past the library.
func foreignCompletion(t testing.TB, r *Ring) CQE {
	t.Helper()
	cqes := wait(t, r, 1)
	require.Len(t, cqes, 1)
	require.True(t, cqes[0].Foreign)
	require.EqualValues(t, foreignUserData, cqes[0].ID)
	return cqes[0]
}

// vector returns an iovec array for the parts, and the parts joined. All of it is pinned until the test ends.
func vector(t testing.TB, parts ...[]byte) (iov []byte, joined []byte) {
	t.Helper()
	var pinner runtime.Pinner
	t.Cleanup(pinner.Unpin)
	vec := make([]cring.Iovec, len(parts))
	for i, p := range parts {
		pinner.Pin(&p[0])
		vec[i] = cring.Iovec{Base: address(p), Len: uint64(len(p))}
		joined = append(joined, p...)
	}
	pinner.Pin(&vec[0])
	// SAFETY: the bytes of vec, which the slice keeps alive.
	return unsafe.Slice((*byte)(unsafe.Pointer(&vec[0])), len(vec)*int(unsafe.Sizeof(vec[0]))), joined
}
