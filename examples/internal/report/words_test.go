//go:build linux

package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/report"
)

// words are all that a report can say of a mode beside its figures.
var words = []string{"faster", "slower", "cheaper", "dearer", "even", "rounds disagree", "too few rounds"}

// against is a report of bundle against a writev that has the same rate in every round, so that the rates of bundle are
// its ratios, in every form that has text.
func against(t *testing.T, ratios ...float64) map[string]string {
	t.Helper()
	shape := bench.Shape{Net: "tcp", Conns: 1, Msgs: 64, Size: 64}
	even := slices.Repeat([]float64{1}, len(ratios))
	cfg := bench.Config{
		Modes: []string{"writev", "bundle"}, Shapes: []bench.Shape{shape}, Rounds: len(ratios),
		SenderCPU: bench.AnyCPU, SinkCPU: bench.AnyCPU,
	}
	out := &bench.Outcome{Samples: map[bench.Shape]map[string]map[int]bench.Sample{shape: {
		"writev": rounds(64, 100, 1, even...), "bundle": rounds(64, 100, 1, ratios...),
	}}}
	rep := report.New(cfg, out, machine.Facts{}, "")
	forms := make(map[string]string)
	for form, write := range map[string]func(io.Writer) error{
		"table": rep.Table, "Markdown": rep.Markdown, "HTML": rep.HTML, "JSON": rep.JSON,
	} {
		var b bytes.Buffer
		require.NoError(t, write(&b))
		forms[form] = b.String()
	}
	return forms
}

// TestWordsNeedRoundsThatAgree has a word in every form of a report only where all rounds give it. The time on the CPU
// is even in all of them.
func TestWordsNeedRoundsThatAgree(t *testing.T) { // found 43
	tests := []struct {
		ratios []float64
		want   string
	}{
		{[]float64{0.17, 2, 2.1, 2.2, 5.82}, "rounds disagree"},
		{[]float64{1.3, 1.4, 1.5, 1.2, 0.97}, "rounds disagree"},
		{[]float64{1.3, 1.4, 1.5, 1.2, 1.01}, "rounds disagree"},
		{[]float64{0.8, 0.9, 1, 1.1, 1.2}, "rounds disagree"},
		{[]float64{1.3, 1.4, 1.5, 1.2, 1.1}, "faster"},
		{[]float64{0.3, 0.4, 0.5, 0.2, 0.9}, "slower"},
		{[]float64{1, 1.01, 0.99, 1, 1}, "even"},
		{[]float64{2, 2, 2, 2}, "too few rounds"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.ratios), func(t *testing.T) {
			forms := against(t, tt.ratios...)
			var doc struct {
				Results []struct{ Words map[string]string }
			}
			require.NoError(t, json.Unmarshal([]byte(forms["JSON"]), &doc))
			require.Equal(t, tt.want, doc.Results[1].Words["of_writev"])
			for _, form := range []string{"table", "Markdown", "HTML"} {
				said := make(map[string]bool)
				_, text, ok := strings.Cut(forms[form], "within 2% of 1 is even")
				require.True(t, ok, "what a word rests on")
				for _, word := range words {
					if strings.Contains(text, word) {
						said[word] = true
					}
				}
				cpu := "even"
				if tt.want == "too few rounds" {
					cpu = tt.want
				}
				want := map[string]bool{tt.want: true, cpu: true}
				require.Equal(t, want, said, "%s:\n%s", form, text)
			}
		})
	}
}

// TestRatiosShowTheirSpread has the least and the greatest ratio beside the median wherever it stands.
func TestRatiosShowTheirSpread(t *testing.T) { // found 43
	forms := against(t, 0.17, 2, 2.1, 2.2, 5.82)
	table := forms["table"][strings.Index(forms["table"], "Against writev"):]
	require.Regexp(t, `(?m)^  tcp 1x64x64  bundle +2\.10  0\.17-5\.82 +rounds disagree +1\.00  1\.00-1\.00 +even$`, table)
	require.Contains(t, forms["Markdown"], "| 2.10 (0.17 to 5.82) rounds disagree |")
	require.Contains(t, forms["HTML"], `<td>2.10 rounds disagree<span class="spread">0.17-5.82</span></td>`)

	var doc struct {
		Results []struct {
			OfWritev map[string]float64 `json:"of_writev"`
			ByRound  []struct {
				Round    int
				MsgsPerS float64 `json:"msgs_per_s"`
			} `json:"by_round"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(forms["JSON"]), &doc))
	bundle := doc.Results[1]
	require.Equal(t, map[string]float64{"median": 2.1, "min": 0.17, "max": 5.82}, bundle.OfWritev)
	require.Len(t, bundle.ByRound, 5, "what the figures are made of")
	require.Equal(t, 5, bundle.ByRound[4].Round)
	require.InDelta(t, 5.8, bundle.ByRound[4].MsgsPerS, 1e-9)
}
