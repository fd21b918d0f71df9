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
		{"one", []float64{3}, &stats.Figure{Median: 3, Min: 3, Max: 3}},
		{"odd", []float64{9, 1, 4}, &stats.Figure{Median: 4, Min: 1, Max: 9}},
		{"even takes the mean of the middle two", []float64{9, 1, 4, 6}, &stats.Figure{Median: 5, Min: 1, Max: 9}},
		{"outlier", []float64{1, 1, 1, 1, 1000}, &stats.Figure{Median: 1, Min: 1, Max: 1000}},
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
