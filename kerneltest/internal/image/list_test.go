package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const listed = `package p

import "testing"

func TestMain(m *testing.M)        { m.Run() }
func TestA(t *testing.T)           {}
func Test(t *testing.T)            {}
func Testing(t *testing.T)         {}
func TestOf(t *testing.T, n int)   {}
func TestWhat(t testing.TB)        {}
func (suite) TestMethod(t *testing.T) {}
func FuzzB(f *testing.F)           {}
func BenchmarkC(b *testing.B)      {}
func ExampleD() {
	// Output: d
}
func ExampleE() {
	// Output:
}
func ExampleF() {}
func helper(t *testing.T) {}
`

func TestListTests(t *testing.T) {
	p := Package{Dir: t.TempDir(), files: []string{"p_test.go"}}
	require.NoError(t, os.WriteFile(filepath.Join(p.Dir, "p_test.go"), []byte(listed), 0o600))
	for run, want := range map[string]string{
		"":              "TestA\nTest\nFuzzB\nExampleD\nExampleE\n",
		"^TestA$/^sub$": "TestA\n",
		"B|D":           "FuzzB\nExampleD\n",
	} {
		names, err := listTests(p, run)
		require.NoError(t, err)
		require.Equal(t, want, names, run)
	}
	_, err := listTests(p, "(")
	require.ErrorContains(t, err, "-run")
}
