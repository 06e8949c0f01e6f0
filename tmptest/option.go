package tmptest

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// Option changes what a function of this package does. Without options each
// does the strict, right thing. A function that is given an option which means
// nothing to it says so and fails the test.
type Option interface {
	apply(*config)
}

// verb is a set of functions that take options.
type verb int

const (
	verbDir verb = 1 << iota
	verbShared
	verbFile
	verbAudit
)

func (v verb) String() string {
	var names []string
	for i, name := range []string{"Dir", "Shared", "File", "Audit"} {
		if v&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// config is what the options of one call say.
type config struct {
	literal  bool
	keep     bool
	noEnv    bool
	process  bool // Audit: the process too
	in       string
	pattern  string
	settle   time.Duration
	targets  []string
	allowed  map[string]string // rule id -> reason
	problems []string          // bad input, reported by configure
	as       verb

	// Seams for tests.
	fsInfo   func(path string) (fsInfo, error)
	listings func() // called between the two listings
}

type option struct {
	name  string
	verbs verb
	set   func(*config)
}

func (o option) apply(c *config) {
	if o.verbs&c.as == 0 {
		c.problems = append(c.problems, fmt.Sprintf("option %s means nothing to %s: it is for %s", o.name, c.as, o.verbs))
		return
	}
	o.set(c)
}

func configure(as verb, opts []Option) (*config, error) {
	c := &config{as: as, fsInfo: statfs}
	for _, o := range opts {
		if o == nil {
			c.problems = append(c.problems, "an option is nil: leave it out")
			continue
		}
		o.apply(c)
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("tmptest.%s: %s", as, strings.Join(c.problems, "; "))
	}
	return c, nil
}

// Literal checks the path as the code of CERT FIO15-C does, not as its prose:
// a directory that others can write is refused even if it is sticky, and so is
// any symbolic link. /tmp does not pass, so TMPDIR or [In] has to name a
// directory below a private one, such as one in the home directory.
func Literal() Option {
	return option{"Literal", verbDir | verbShared | verbFile | verbAudit, func(c *config) { c.literal = true }}
}

// Keep keeps the directory when the test failed, and logs where it is. The
// environment variable TMPPROOF_KEEP=1 does the same for all tests.
func Keep() Option {
	return option{"Keep", verbDir | verbShared | verbFile, func(c *config) { c.keep = true }}
}

// Allow takes violations of one rule for granted. The reason is for the
// reader of the test and must not be empty.
func Allow(r rules.Rule, reason string) Option {
	return option{"Allow", verbDir | verbShared | verbFile | verbAudit, func(c *config) {
		if !r.Known() {
			c.problems = append(c.problems, fmt.Sprintf("Allow: the rule book has no rule %q", r.ID()))
			return
		}
		if strings.TrimSpace(reason) == "" {
			c.problems = append(c.problems, fmt.Sprintf("Allow(%s) has no reason: say why the rule may be broken here", r.ID()))
			return
		}
		if c.allowed == nil {
			c.allowed = make(map[string]string)
		}
		c.allowed[r.ID()] = reason
	}}
}

// In makes the directory in dir instead of GOTMPDIR or os.TempDir. The
// environment is not changed.
func In(dir string) Option {
	return option{"In", verbDir | verbShared | verbFile, func(c *config) {
		if dir == "" {
			c.problems = append(c.problems, `In("") names no directory: leave it out for the default`)
		}
		c.in = dir
	}}
}

// Pattern is the pattern of the file's name, as in [os.CreateTemp]: the last *
// is replaced by a random number, which comes at the end if there is none.
func Pattern(pattern string) Option {
	return option{"Pattern", verbFile, func(c *config) { c.pattern = pattern }}
}

// Target names what the test means to leave in the shared directory, by
// [path.Match] patterns relative to it, with slashes. What matches, and what
// is below it, is not counted as left behind (R01); its modes and owners are
// checked all the same.
func Target(patterns ...string) Option {
	return option{"Target", verbShared, func(c *config) {
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil {
				c.problems = append(c.problems, fmt.Sprintf("Target(%q): %s", p, err))
			}
		}
		c.targets = append(c.targets, patterns...)
	}}
}

// Settle waits that long between the two listings that look for late writers
// (R14). Without it they follow each other directly.
func Settle(d time.Duration) Option {
	return option{"Settle", verbDir | verbShared | verbFile, func(c *config) {
		if d < 0 || d > time.Minute {
			c.problems = append(c.problems, fmt.Sprintf("Settle(%s) is not between 0 and a minute", d))
		}
		c.settle = d
	}}
}

// NoEnv leaves TMPDIR, TMP, TEMP and GOTMPDIR alone, so that Shared works in a
// parallel test. The code under test has to be given the path.
func NoEnv() Option {
	return option{"NoEnv", verbShared, func(c *config) { c.noEnv = true }}
}

// Process makes Audit check the process as well as the tree: its temporary
// root (E01, E02), umask (E10), the four variables (E12), its user (E15) and
// the kernel's settings (E16).
func Process() Option {
	return option{"Process", verbAudit, func(c *config) { c.process = true }}
}
