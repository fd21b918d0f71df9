package stats_test

//kerneltest:on it has nothing to do with io_uring

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/stats"
)

func TestOf(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   *stats.Figure
	}{
		{"none", nil, nil},
		{"one", []float64{3}, &stats.Figure{Median: 3, Min: 3, Max: 3, Rounds: 1}},
		{"odd", []float64{9, 1, 4}, &stats.Figure{Median: 4, Min: 1, Max: 9, Rounds: 3}},
		{"even takes the mean of the middle two", []float64{9, 1, 4, 6}, &stats.Figure{Median: 5, Min: 1, Max: 9, Rounds: 4}},
		{"outlier", []float64{1, 1, 1, 1, 1000}, &stats.Figure{Median: 1, Min: 1, Max: 1000, Rounds: 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, stats.Of(tt.values))
		})
	}
}

func TestOfLeavesItsArgumentAlone(t *testing.T) {
	values := []float64{3, 1, 2}
	stats.Of(values)
	require.Equal(t, []float64{3, 1, 2}, values)
}

func TestRatiosPairRounds(t *testing.T) {
	// Round 1 of b and round 2 of a were not measured; a zero base says nothing.
	a := map[int]float64{0: 10, 1: 20, 3: 8, 4: 5}
	b := map[int]float64{0: 5, 2: 7, 3: 16, 4: 0}
	require.ElementsMatch(t, []float64{2, 0.5}, stats.Ratios(a, b))
	require.Empty(t, stats.Ratios(a, nil))
}

func TestSideIsThatOfEveryRound(t *testing.T) { // found 43
	tests := []struct {
		name   string
		ratios []float64
		want   stats.Side
	}{
		{"all above", []float64{1.3, 1.02, 1.1, 1.2, 1.5}, stats.Above},
		{"all below", []float64{0.98, 0.9, 0.5, 0.7, 0.8}, stats.Below},
		{"all even", []float64{0.99, 1.01, 1, 1, 1.015}, stats.Even},
		{"as found: a median that says twice as much", []float64{0.17, 2, 2.1, 2.2, 5.82}, stats.Disagree},
		{"one round of many below", []float64{1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 0.9}, stats.Disagree},
		{"one round of many even", []float64{1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.01}, stats.Disagree},
		{"even by the median alone", []float64{0.5, 0.9, 1, 1.1, 2}, stats.Disagree},
		{"four rounds", []float64{2, 2, 2, 2}, stats.TooFew},
		{"one round", []float64{2}, stats.TooFew},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, stats.Of(tt.ratios).Side())
		})
	}
}
