package stats

// Side is where the rounds of a ratio lie.
type Side int

// The sides. Only of the first three can anything be said.
const (
	Above    Side = iota // all rounds have more than even
	Below                // all rounds have less
	Even                 // all rounds are even
	Disagree             // rounds lie on different sides
	TooFew               // there are fewer than RoundsMin
)

const (
	// RoundsMin is how many rounds a word about a ratio needs. Of two contenders that are alike, five rounds all lie on
	// one side by chance in one run of sixteen; three rounds do so in one of four.
	RoundsMin = 5

	// EvenBand is how far from 1 a ratio may be and still count as even.
	EvenBand = 0.02
)

// Side returns where the rounds of a ratio lie. A side is that of every round: the median has no say.
func (f *Figure) Side() Side {
	switch {
	case f.Rounds < RoundsMin:
		return TooFew
	case f.Min >= 1+EvenBand:
		return Above
	case f.Max <= 1-EvenBand:
		return Below
	case f.Min > 1-EvenBand && f.Max < 1+EvenBand:
		return Even
	}
	return Disagree
}
