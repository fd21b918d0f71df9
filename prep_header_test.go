//go:build linux && cgo

package uring

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring/cprep"
	"github.com/sockring/uring/internal/testutil"
)

// leftOutPreps are the functions of liburing without a Prep method, with the reason in the words of docs/prep.md.
var leftOutPreps = map[string]string{
	"io_uring_prep_rw":           "not an operation, but what the others are made of",
	"io_uring_prep_uring_cmd":    "the command's arguments are the driver's own; sockets have PrepCmdSock",
	"io_uring_prep_uring_cmd128": "needs entries of 128 bytes, which Ring does not offer",
	"io_uring_prep_nop128":       "needs entries of 128 bytes, which Ring does not offer",
}

// setterRows are the functions of liburing that change an entry that was prepared.
var setterRows = map[string]string{
	"io_uring_prep_send_set_addr": "PrepSendSetAddr",
	"io_uring_sqe_set_flags":      "SetFlags",
	"io_uring_sqe_set_buf_group":  "BufferSelect",
	"io_uring_sqe_set_data":       "SetData",
	"io_uring_sqe_set_data64":     "SetData64",
}

// inlineFunction matches the definition of a function that fills or changes an entry.
var inlineFunction = regexp.MustCompile(
	`(?m)^(?:static inline|IOURINGINLINE) void (io_uring_prep_\w+|io_uring_sqe_set_\w+)\(`)

// headerPreps returns the functions that the headers compiled against define.
func headerPreps(t *testing.T) []string {
	t.Helper()
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "liburing.h"))
	require.NoError(t, err)
	var names []string
	for _, m := range inlineFunction.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	require.Greater(t, len(names), 70)
	return names
}

func TestEveryPrepOfTheHeadersIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, r := range prepRows {
		require.False(t, known[r.c], "%s is there twice", r.c)
		known[r.c] = true
	}
	for _, c := range headerPreps(t) {
		_, leftOut := leftOutPreps[c]
		require.True(t, known[c] || leftOut || setterRows[c] != "", "no Prep method for %s", c)
	}
}

func TestEveryPrepMethodIsCompared(t *testing.T) {
	compared := map[string]bool{}
	for _, r := range prepRows {
		compared[r.method] = true
	}
	for _, method := range setterRows {
		compared[method] = true
	}
	typ := reflect.TypeFor[*SQE]()
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; strings.HasPrefix(name, "Prep") {
			require.True(t, compared[name], "%s is not compared with C", name)
		}
	}
	for method := range compared {
		_, ok := typ.MethodByName(method)
		require.True(t, ok, "there is no method %s", method)
	}
}

func TestDocumentedPreps(t *testing.T) {
	testutil.InSource(t)
	text, err := os.ReadFile(filepath.Join("docs", "prep.md"))
	require.NoError(t, err)
	for c, reason := range leftOutPreps {
		require.Contains(t, string(text), "| `"+c+"` | "+reason+" |")
	}
	for _, r := range prepRows {
		require.Contains(t, string(text), "| `"+r.c+"` | `"+r.method+"` |")
	}
	for c, method := range setterRows {
		require.Contains(t, string(text), "| `"+c+"` | `"+method+"` |")
	}
}
