package regression

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// advisory is a vulnerability, by its number in the Go vulnerability database
// (https://pkg.go.dev/vuln/).
type advisory struct {
	id, where         string
	vulnerable, fixed attack.Victim
	breaks            []rules.Rule // in the vulnerable code, all of them
	opts              []attack.Option
}

// overTheLimit is a scan that must fail: that it does is no news.
func overTheLimit(err error) error {
	if errors.Is(err, errFull) {
		return nil
	}
	return errors.Join(errors.New("the archive fits"), err)
}

// inRoot opens the attacker's directory, and no other for which he has put a link
// there: that would be a hole of its own.
func inRoot(s *attack.Scene, f func(root *os.File) error) error {
	root, err := os.OpenFile(s.Path("tree"), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(f(root), root.Close())
}

var advisories = []advisory{
	{
		id: "GO-2026-4978", where: "go bug",
		vulnerable: func(*attack.Scene) error { return libcVersion() },
		fixed:      func(*attack.Scene) error { return libcVersionFixed() },
		breaks:     []rules.Rule{rules.X01, rules.X04, rules.X07, rules.X10},
	},
	{
		id: "GO-2026-4864", where: "os.Root.Chmod",
		vulnerable: func(s *attack.Scene) error {
			return inRoot(s, func(root *os.File) error { return rootChmod(root, "file", 0o600) })
		},
		fixed: func(s *attack.Scene) error {
			return inRoot(s, func(root *os.File) error { return rootChmodFixed(root, "file", 0o600) })
		},
		breaks: []rules.Rule{rules.X01},
		opts: []attack.Option{attack.Hostile("tree"), attack.Setup(func(s *attack.Scene) error {
			return errors.Join(os.Mkdir(s.Path("tree"), 0o777), os.WriteFile(s.Path("tree", "file"), nil, 0o666))
		})},
	},
	{
		id: "GO-2026-4809", where: "Syft",
		vulnerable: func(*attack.Scene) error { return overTheLimit(scan(strings.NewReader("a bomb"), 3)) },
		fixed:      func(*attack.Scene) error { return overTheLimit(scanFixed(strings.NewReader("a bomb"), 3)) },
		breaks:     []rules.Rule{rules.R01},
	},
	{
		id: "GO-2024-3271", where: "rclone",
		vulnerable: func(s *attack.Scene) error {
			return copyLinkWithMode(s.Path("src", "link"), filepath.Join(s.Home, "copy"))
		},
		fixed: func(s *attack.Scene) error {
			return copyLink(s.Path("src", "link"), filepath.Join(s.Home, "copy"))
		},
		breaks: []rules.Rule{rules.X01},
		opts: []attack.Option{attack.Canary("shadow"), attack.Hostile("src"), attack.Setup(func(s *attack.Scene) error {
			shadow := filepath.Join(s.Home, "shadow")
			return errors.Join(os.WriteFile(shadow, nil, 0o600), os.Mkdir(s.Path("src"), 0o777), os.Symlink(shadow, s.Path("src", "link")))
		})},
	},
}

// TestAdvisories: the vulnerable code is broken in the stated ways, the fixed
// code in none.
func TestAdvisories(t *testing.T) {
	for _, a := range advisories {
		t.Run(a.id+" "+a.where, func(t *testing.T) {
			t.Run("vulnerable", func(t *testing.T) {
				attack.Prove(t, a.vulnerable, append(a.opts, attack.Expect(a.breaks...))...)
			})
			t.Run("fixed", func(t *testing.T) {
				attack.Prove(t, a.fixed, a.opts...)
			})
		})
	}
}
