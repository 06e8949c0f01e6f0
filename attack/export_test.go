package attack

// MaxCalls bounds the calls of a run: a victim that calls without end need not
// make 60,000 of them in each test.
func MaxCalls(n int) Option { return optionFunc(func(o *options) { o.calls = n }) }
