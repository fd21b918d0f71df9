package expect

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/result"
)

// run is a run of one package; tests that have a feature were skipped for it.
func run(tests map[string]string) result.Run {
	const path = module + "uring"
	r := result.Run{Packages: []result.Package{{Path: path, Tests: map[string]string{}}}}
	for name, feature := range tests {
		r.Packages[0].Tests[name] = "pass"
		if feature != "" {
			r.Packages[0].Tests[name] = "skip"
			r.Skips = append(r.Skips, result.Skip{Package: path, Test: name, Reason: feature + ": not here"})
		}
	}
	return r
}

var mixed = map[string]string{
	"TestSend":              "",
	"TestSendBundleInOrder": "bundle",
	"TestSendBundleShort":   "bundle",
	"TestSendBundleOther":   "zero copy",
	"TestRecvA/one":         "bundle",
	"TestRecvA/two":         "bundle",
	"TestRecvA":             "",
	"TestRecvB":             "",
	"TestRecvB/one":         "bundle",
	"TestRecvB/two":         "",
	"TestWaitMin":           "min timeout",
}

const mixedFile = header + `
[bundle]
uring TestRecvA*
uring TestRecvB/one
uring TestSendBundleInOrder
uring TestSendBundleShort

[min timeout]
uring TestWaitMin

[zero copy]
uring TestSendBundleOther
`

func TestOf(t *testing.T) {
	require.Equal(t, mixedFile, Of(run(mixed)).String())
	require.Equal(t, header+"\n[io_uring]\nuring *\n", Of(run(map[string]string{
		"TestA": "io_uring", "TestB": "io_uring", "TestC/x": "io_uring", "TestC/y": "io_uring", "TestC": "",
	})).String())
	require.Equal(t, header, Of(run(map[string]string{"TestA": ""})).String())
}

func TestParseIsTheInverseOfString(t *testing.T) {
	list, err := Parse(mixedFile)
	require.NoError(t, err)
	require.Equal(t, mixedFile, list.String())
	_, err = Parse("uring TestA\n")
	require.ErrorContains(t, err, "line 1")
	_, err = Parse("[x]\nTestA\n")
	require.ErrorContains(t, err, "line 2")
}

func TestCompare(t *testing.T) {
	tests := []struct {
		name   string
		change map[string]string // of mixed; "-" takes a test away
		want   []string
	}{
		{name: "as expected"},
		{
			name: "a test that used to run", change: map[string]string{"TestSend": "send"},
			want: []string{"TestSend: was skipped, and that is not expected: send: not here"},
		},
		{
			name: "another reason", change: map[string]string{"TestWaitMin": "privilege"},
			want: []string{
				"TestWaitMin: was skipped, and that is not expected: privilege: not here",
				"TestWaitMin: was expected to be skipped for min timeout, and was not",
			},
		},
		{
			name: "a test that runs now", change: map[string]string{"TestSendBundleShort": ""},
			want: []string{"TestSendBundleShort: was expected to be skipped for bundle, and was not"},
		},
		{
			name: "a subtest that runs now", change: map[string]string{"TestRecvB/one": ""},
			want: []string{"TestRecvB/one: was expected to be skipped for bundle, and was not"},
		},
		{
			name: "subtests that are gone", change: map[string]string{"TestRecvA/one": "-", "TestRecvA/two": "-"},
			want: []string{"TestRecvA*: was expected to be skipped for bundle, and was not"},
		},
		{name: "a new one below a pattern", change: map[string]string{"TestRecvA/three": "bundle"}},
		{name: "a test that was not asked for", change: map[string]string{"TestWaitMin": "-"}},
	}
	list, err := Parse(mixedFile)
	require.NoError(t, err)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := map[string]string{}
			for name, feature := range mixed {
				changed[name] = feature
			}
			for name, feature := range tt.change {
				changed[name] = feature
				if feature == "-" {
					delete(changed, name)
				}
			}
			var got []string
			for _, f := range list.Compare(run(changed)) {
				require.Equal(t, module+"uring", f.Package)
				got = append(got, f.Test+": "+f.What)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestUpdateKeepsWhatIsOfOtherPackages(t *testing.T) {
	old, err := Parse(header + "\n[bundle]\nuring TestGone\nuring/other TestKept\n")
	require.NoError(t, err)
	updated := old.Update(run(map[string]string{"TestNew": "bundle", "TestRan": ""}))
	require.Equal(t, header+"\n[bundle]\nuring TestNew\nuring/other TestKept\n", updated.String())
}
