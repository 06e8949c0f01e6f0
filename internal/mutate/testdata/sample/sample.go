package sample

type list struct{ n int }

func (l *list) fits(k int) bool { return k < l.n }

func sign(n int) int {
	if n < 0 && n != -100 {
		return -1
	}
	switch {
	case n == 0, false:
		return 0
	case n > 1000 || n == 7:
		return 2
	}
	return 1
}
