package still

// FirstNumber is above every number that Linux gives to a process
// (PID_MAX_LIMIT, 4,194,304): a made-up number that the kernel is asked for is
// nobody's.
const FirstNumber = 1<<22 + 1

// MostNumbers bounds the made-up numbers of one run.
const MostNumbers = 1 << 16

// Numbers are made-up process numbers: the n-th process that is met has the
// n-th number, in each run.
type Numbers struct {
	first int
	made  map[int]int // by real number
	real  []int
}

// NewNumbers returns numbers that begin at FirstNumber + offset.
func NewNumbers(offset int) *Numbers {
	return &Numbers{first: FirstNumber + offset, made: map[int]int{}}
}

// Of is the made-up number of a process, the next one if it has none. It is the
// real one when there are no more.
func (n *Numbers) Of(pid int) int {
	if m, ok := n.made[pid]; ok {
		return m
	}
	if len(n.real) >= MostNumbers {
		return pid
	}
	m := n.first + len(n.real)
	n.made[pid], n.real = m, append(n.real, pid)
	return m
}

// Forget gives the next process of that real number another made-up one.
func (n *Numbers) Forget(pid int) { delete(n.made, pid) }

// Made is the made-up number of a process that has one.
func (n *Numbers) Made(pid int) (int, bool) {
	m, ok := n.made[pid]
	return m, ok
}

// Real is the process of a made-up number. It is not known to live: a number
// can be another's by then.
func (n *Numbers) Real(made int) (int, bool) {
	i := made - n.first
	if i < 0 || i >= len(n.real) {
		return 0, false
	}
	return n.real[i], true
}

// IsMade reports whether a number is above all real ones.
func IsMade(number int) bool { return number >= FirstNumber }
