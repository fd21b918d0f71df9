package sendq

// fifoMin is the capacity of a fifo after its first push.
const fifoMin = 16

// fifo is a first-in first-out ring that doubles when it is full and never shrinks, so that a steady
// load stops allocating. The zero value is empty and ready.
type fifo[T any] struct {
	buf        []T    // of a length that is zero or a power of two
	head, tail uint64 // how many were popped and pushed, ever: the length is the difference
}

func (f *fifo[T]) len() int { return int(f.tail - f.head) }

// at returns the element that i others are in front of. It is valid until the next push.
func (f *fifo[T]) at(i int) *T { return &f.buf[(f.head+uint64(i))&uint64(len(f.buf)-1)] }

func (f *fifo[T]) front() *T { return f.at(0) }

func (f *fifo[T]) back() *T { return f.at(f.len() - 1) }

func (f *fifo[T]) push(v T) {
	if f.full() {
		f.grow()
	}
	f.put(v)
}

func (f *fifo[T]) full() bool { return f.len() == len(f.buf) }

// put is push for a fifo that is not full, small enough to be inlined.
func (f *fifo[T]) put(v T) {
	f.buf[f.tail&uint64(len(f.buf)-1)] = v
	f.tail++
}

// pop removes the front and returns it. The slot is cleared, so that it keeps nothing alive.
func (f *fifo[T]) pop() T {
	front := f.front()
	v := *front
	var zero T
	*front = zero
	f.head++
	return v
}

func (f *fifo[T]) grow() {
	buf := make([]T, max(fifoMin, 2*len(f.buf)))
	for i := range f.len() {
		buf[(f.head+uint64(i))&uint64(len(buf)-1)] = *f.at(i)
	}
	f.buf = buf
}
