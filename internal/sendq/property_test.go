package sendq

import (
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Sequences long enough to use chunks again and again find more than rapid's short ones. The command line
// still has the last word.
func init() {
	flag.Set("rapid.checks", "300")
	flag.Set("rapid.steps", "100")
}

// A model run makes random calls on two queues that share a slab, each beside a model that is nothing but
// the bytes accepted, where messages end and how far the stream was sent.

// driver decides what a model run does, and fails it.
type driver interface {
	require.TestingT

	// between returns a number from low to high.
	between(what string, low, high int) int
}

// oneOf returns one of values.
func oneOf(d driver, what string, values ...int) int {
	return values[d.between(what, 0, len(values)-1)]
}

// actions are the calls that a model run makes.
var actions = map[string]func(*model, driver){
	"Write":    (*model).write,
	"Writev":   (*model).writev,
	"Reserve":  (*model).reserve,
	"Commit":   (*model).commit,
	"HandOver": (*model).handOver,
	"Take":     (*model).take,
	"Sent":     (*model).sendSome,
	"Settle":   (*model).settle,
	"Fail":     (*model).fail,
}

// world is the slab and the models of all queues on it.
type world struct {
	slab   *Slab
	models []*model
}

func newWorld(d driver) *world {
	slab, err := NewSlab(SlabOptions{
		ChunkSize:    oneOf(d, "chunk size", 1, 2, 8, 20, 32),
		RegionChunks: d.between("region chunks", 1, 3),
		Limit:        oneOf(d, "slab limit", 0, 32, 100, 200),
		Poison:       true,
	})
	require.NoError(d, err)
	w := &world{slab: slab}
	for id := range 2 {
		q, err := NewQueue(slab, oneOf(d, "queue limit", 1, 10, 50, 300))
		require.NoError(d, err)
		w.models = append(w.models, &model{id: byte(id), q: q})
	}
	return w
}

// step makes one call, of the action given, on one of the queues.
func (w *world) step(d driver, action func(*model, driver)) {
	action(w.models[d.between("queue", 0, 1)], d)
}

// end empties or fails the queues and closes the slab.
func (w *world) end(d driver) {
	for _, m := range w.models {
		m.end(d)
	}
	require.Zero(d, w.slab.Stats().Out)
	require.NoError(d, w.slab.Close())
}

// check holds every queue against its model, and counts the slab's chunks.
func (w *world) check(d driver) {
	out := map[*chunk]int{}
	for _, m := range w.models {
		m.check(d)
		for c, runs := range m.q.chunks() {
			_, twice := out[c]
			require.False(d, twice, "two queues hold one chunk")
			out[c] = runs
		}
	}
	for c, runs := range out {
		require.False(d, c.free)
		require.Equal(d, runs, c.runs)
	}
	free := 0
	for c := w.slab.free; c != nil; c = c.next {
		require.True(d, c.free)
		require.Zero(d, c.runs)
		free++
	}
	require.Equal(d, SlabStats{Out: len(out), Free: free}, w.slab.Stats())
	mapped := 0
	for _, region := range w.slab.regions {
		mapped += len(region) / w.slab.ChunkSize()
	}
	require.Equal(d, mapped, len(out)+free)
	if limit := w.slab.options.Limit; limit > 0 {
		require.LessOrEqual(d, mapped*w.slab.ChunkSize(), limit)
	}
}

// chunks returns how many segments each chunk has that the queue holds.
func (q *Queue) chunks() map[*chunk]int {
	held := map[*chunk]int{}
	if q.tail != nil {
		held[q.tail] = 0
	}
	for i := range q.segments.len() {
		if c := q.segments.at(i).chunk; c != nil {
			held[c]++
		}
	}
	return held
}

// rapidDriver draws every decision, so that rapid can look for the shortest run that fails.
type rapidDriver struct{ *rapid.T }

func (d rapidDriver) between(what string, low, high int) int {
	return rapid.IntRange(low, high).Draw(d.T, what)
}

func TestQueueAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapidDriver{t})
		steps := map[string]func(*rapid.T){"": func(t *rapid.T) { w.check(rapidDriver{t}) }}
		for name, action := range actions {
			steps[name] = func(t *rapid.T) { w.step(rapidDriver{t}, action) }
		}
		t.Repeat(steps)
		w.end(rapidDriver{t})
	})
}

// bytesDriver reads its decisions from a string of bytes, one each, and decides for the lowest number when
// there is none left.
type bytesDriver struct {
	*testing.T
	data []byte
}

func (d *bytesDriver) between(_ string, low, high int) int {
	if len(d.data) == 0 {
		return low
	}
	n := low + int(d.data[0])%(high-low+1)
	d.data = d.data[1:]
	return n
}

// FuzzQueueAgreesWithModel looks for sequences by coverage. Run it with -fuzzminimizetime=10x: a sequence
// shrinks slowly byte by byte, and only one that fails needs to.
func FuzzQueueAgreesWithModel(f *testing.F) {
	for seed := range uint64(20) {
		data := make([]byte, 300)
		for i, random := 0, rand.New(rand.NewPCG(seed, 0)); i < len(data); i++ {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	names := slices.Sorted(maps.Keys(actions))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &bytesDriver{t, data}
		w := newWorld(d)
		for len(d.data) > 0 {
			w.step(d, actions[names[d.between("action", 0, len(names)-1)]])
			w.check(d)
		}
		w.end(d)
	})
}
