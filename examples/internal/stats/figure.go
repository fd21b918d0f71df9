package stats

import "slices"

// Figure sums up one value over rounds.
type Figure struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"-"` // that it is of
}

// Of returns the figure of values, or nil if there are none.
func Of(values []float64) *Figure {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return &Figure{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1], Rounds: len(sorted)}
}

// Ratios divides a by b round by round: both are keyed by round, and only rounds that both have count. A
// round's two values were measured next to each other, so their ratio carries less of the machine's drift
// than a ratio of medians would.
func Ratios(a, b map[int]float64) []float64 {
	var ratios []float64
	for round, value := range a {
		if base, ok := b[round]; ok && base > 0 {
			ratios = append(ratios, value/base)
		}
	}
	return ratios
}
