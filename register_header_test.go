//go:build linux && cgo

package uring

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring/cprep"
	"github.com/sockring/uring/internal/testutil"
)

// registration matches the declaration of a function that registers something.
var registration = regexp.MustCompile(
	`(?m)^(?:struct |int )?(?:\w+ )?\*?(io_uring_(?:(?:un)?register_|enable_|resize_|clone_|close_|set_iowait)\w*)\(`)

// documentedRow matches a row of the tables of docs/registration.md.
var documentedRow = regexp.MustCompile("(?m)^\\| `(io_uring_\\w+)` \\| (.+) \\|$")

// methodOfRing matches what such a row says of a function that Ring has.
var methodOfRing = regexp.MustCompile("^`(\\w+)`$")

func TestEveryRegistrationOfTheHeadersIsKnown(t *testing.T) {
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	header, err := os.ReadFile(filepath.Join(dir, "liburing.h"))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join("docs", "registration.md"))
	require.NoError(t, err)
	known := map[string]string{}
	for _, m := range documentedRow.FindAllStringSubmatch(string(page), -1) {
		require.NotContains(t, known, m[1])
		known[m[1]] = m[2]
	}
	found := registration.FindAllStringSubmatch(string(header), -1)
	require.Greater(t, len(found), 25)
	for _, m := range found {
		require.Contains(t, known, m[1])
	}
	typ := reflect.TypeFor[*Ring]()
	for c, method := range known {
		if m := methodOfRing.FindStringSubmatch(method); m != nil {
			_, ok := typ.MethodByName(m[1])
			require.True(t, ok, "%s: there is no method %s", c, m[1])
		}
	}
}
