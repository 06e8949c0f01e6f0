package leakcheck

import (
	"errors"
	"path"
	"strings"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// Option changes what is checked, or what is done about it. Without options
// everything is checked and every leak fails the run.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	ignore  []string
	bad     error // what makes no sense
	warn    bool
	explain bool
	keep    bool
	dir     string
	allowed bool // open descriptors, mappings and processes
	outside bool // descriptors of what is not in the private directory
	slow    int  // factor of budgets
}

func newOptions(opts []Option) *options {
	o := &options{explain: true}
	o.slow, o.bad = rerun.Slowness()
	for _, opt := range opts {
		if opt == nil {
			o.bad = errors.New("a nil option")
			continue
		}
		opt.apply(o)
	}
	return o
}

// Ignore leaves out what matches one of the patterns, in the syntax of
// path.Match: the slash-separated path of a file below the root (or below the
// package's directory), the first element of that path, or the name of a
// program that still runs. A malformed pattern fails the run.
func Ignore(globs ...string) Option {
	return optionFunc(func(o *options) {
		for _, g := range globs {
			if _, err := path.Match(g, ""); err != nil {
				o.bad = &globError{g, err}
			}
			o.ignore = append(o.ignore, g)
		}
	})
}

type globError struct {
	glob string
	err  error
}

func (e *globError) Error() string {
	return "the pattern " + e.glob + " of Ignore: " + e.err.Error() + ": see path.Match for the syntax"
}

// ignored says that a path or program is to be left out.
func (o *options) ignored(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	for _, g := range o.ignore {
		for _, s := range []string{name, first} {
			if ok, err := path.Match(g, s); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// Warn reports leaks and fails nothing: for the first days in a suite that has
// many.
func Warn() Option { return optionFunc(func(o *options) { o.warn = true }) }

// Explain says whether tests are run again, each in a child process of its own, to
// find out which one left something behind and at which line. It is done
// unless this says false, and only after a leak was found. It ends after half a
// minute, and four times what the tests took; TMPPROOF_SLOW=n in the environment
// makes that n times as long, for slow machines.
func Explain(yes bool) Option { return optionFunc(func(o *options) { o.explain = yes }) }

// KeepOnLeak leaves the private root where it is when something was left in
// it, and prints its name. Nothing removes it later.
func KeepOnLeak() Option { return optionFunc(func(o *options) { o.keep = true }) }

// Dir makes the private root in dir instead of os.TempDir(). A dir that others
// can write must have the sticky bit, as /tmp has.
func Dir(dir string) Option { return optionFunc(func(o *options) { o.dir = dir }) }

// AllowOpen does not look for open descriptors, mapped files and processes,
// only for files.
func AllowOpen() Option { return optionFunc(func(o *options) { o.allowed = true }) }

// AllowElsewhere does not look for open pipes, sockets, and files outside of the
// private directory, of which Check tells: for a test that opens what stays open
// for all, such as a log or a pool of connections.
func AllowElsewhere() Option { return optionFunc(func(o *options) { o.outside = true }) }
