package attack_test

import (
	"errors"
	"os"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// readsThen reads a file that need not be there, and goes on where it was.
func readsThen(rest func(s *attack.Scene) error) attack.Victim {
	return func(s *attack.Scene) error {
		if _, err := afero.ReadFile(s.FS, s.Path("theme")); err != nil {
			return absentIsFine(err)
		}
		return rest(s)
	}
}

// mayRead accepts what readsThen begins with.
func mayRead() []attack.Option {
	const why = "a theme is anybody's"
	return []attack.Option{attack.Allow(rules.X02, why), attack.Allow(rules.X03, why), attack.Allow(rules.X07, why)}
}

// makes a file and removes it.
func makes(name func(s *attack.Scene) string, flag int) func(s *attack.Scene) error {
	return func(s *attack.Scene) error {
		p := name(s)
		return errors.Join(put(s.FS, p, flag, 0o600, "x"), s.FS.Remove(p))
	}
}

func fixed(s *attack.Scene) string { return s.Path("cache") }

// allowedTests are victims that do what Allow accepts, and then more.
var allowedTests = []victimTest{{
	name:   "what is allowed comes first, then a plain create",
	victim: readsThen(makes(fixed, anyFile)),
	opts:   mayRead(),
	want:   "X01 X10",
}, {
	name:   "what is allowed comes first, then an exclusive create",
	victim: readsThen(makes(fixed, newFile)),
	opts:   mayRead(),
}, {
	name:   "what is allowed comes first, then a plain create under a random name",
	victim: readsThen(makes(unknown, os.O_WRONLY|os.O_CREATE)),
	opts:   mayRead(),
	want:   "C01",
}, {
	name:   "what is allowed comes first, then an exclusive create under a random name",
	victim: readsThen(makes(unknown, newFile)),
	opts:   mayRead(),
}}

// mayOpen accepts what forEverybody is for.
var mayOpen = []attack.Option{attack.Allow(rules.X04, "it is for everybody"), attack.Allow(rules.X09, "likewise")}

// forEverybody makes a file under a name of chance, which all may open.
func forEverybody(flag int) attack.Victim {
	return func(s *attack.Scene) error {
		p := unknown(s)
		return errors.Join(put(s.FS, p, flag, 0o666, "x"), s.FS.Remove(p))
	}
}
