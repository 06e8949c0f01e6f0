package attack

import "math"

// confidence is that of each bound of a RaceReport.
const confidence = 0.95

// bounds gives the least and the greatest probability of a win under which as
// many wins in n attempts, or more, or fewer, are no surprise: each bound alone
// is wrong in 5 of 100 races at most (Clopper and Pearson, 1934; one-sided).
// Without a win the upper one is 1-0.05^(1/n), close to 3/n.
func bounds(wins, n int) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	if wins > 0 { // the p at which so many or more have probability 0.05
		low = solve(func(p float64) bool { return 1-atMost(wins-1, n, p) < 1-confidence })
	}
	high = 1
	if wins < n { // the p at which so few or fewer have probability 0.05
		high = solve(func(p float64) bool { return atMost(wins, n, p) > 1-confidence })
	}
	return low, high
}

// solve finds where a condition that holds for small p ends.
func solve(holds func(p float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if mid := (low + high) / 2; holds(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// atMost is the probability of k wins or fewer in n attempts.
func atMost(k, n int, p float64) float64 {
	switch {
	case k >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	sum := 0.0
	all, _ := math.Lgamma(float64(n) + 1)
	for i := range k + 1 {
		a, _ := math.Lgamma(float64(i) + 1)
		b, _ := math.Lgamma(float64(n-i) + 1)
		sum += math.Exp(all - a - b + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(sum, 1)
}
