package attack_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// few is a name of sixteen bits.
func few(s *attack.Scene) string {
	var b [2]byte
	_, _ = rand.Read(b[:])
	return s.Path("t" + hex.EncodeToString(b[:]))
}

// listens has a listener for a while, which it closes or not.
func listens(name func(s *attack.Scene) string, close bool) attack.Victim {
	return func(s *attack.Scene) error {
		l, err := net.Listen("unix", name(s))
		if err != nil {
			return err
		}
		if close {
			defer l.Close()
		} else {
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			defer l.Close()
		}
		return nil
	}
}

// running has a program that runs while it looks at something.
func running(ends bool) attack.Victim {
	return func(s *attack.Scene) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		cmd := exec.CommandContext(ctx, "sleep", "60")
		if !ends {
			cmd = exec.Command("sleep", "60")
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		if ends {
			defer func() { cancel(); _ = cmd.Wait() }()
		}
		_, err := os.Stat(s.Dir)
		return err
	}
}

// goesOn has a goroutine that makes a call, for which it waits or not.
func goesOn(wait bool) attack.Victim {
	return func(s *attack.Scene) error {
		done := make(chan error, 1)
		go func() {
			_, err := os.Stat(filepath.Join(s.Home, "no"))
			for !wait {
				_, _ = os.Stat(filepath.Join(s.Home, "no"))
			}
			done <- absentIsFine(err)
		}()
		if wait {
			return <-done
		}
		return nil
	}
}

// inRoot works in a directory that it has made, through a root of which look says
// whose it is.
func inRoot(look func(root *os.Root) (os.FileInfo, error)) attack.Victim {
	return func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "work-*")
		if err != nil {
			return err
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return errors.Join(err, os.Remove(dir))
		}
		defer root.Close()
		fi, err := look(root)
		if err != nil || !uid(fi) {
			return errors.Join(err, errors.New("it is not the one that was made"))
		}
		return errors.Join(root.WriteFile("f", []byte("x"), 0o600), root.Remove("f"), os.Remove(dir))
	}
}

// locks takes the lock of a file of others, if there is one.
func locks(name func(s *attack.Scene) string, how int) attack.Victim {
	return func(s *attack.Scene) error {
		f, err := os.OpenFile(name(s), os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return absentIsFine(err)
		}
		return errors.Join(unix.Flock(int(f.Fd()), how), f.Close())
	}
}

// systemFixTests need the system's own disk, or a process of their own.
var systemFixTests = []fixTest{
	{rule: rules.C06, name: "of a socket", by: attack.Prove,
		fix:    "make the socket in a directory of os.MkdirTemp, and tell its path to those who connect",
		broken: listens(withPID, true), fixed: victims(func(s *attack.Scene) error {
			return inDir(s, func(dir string) error {
				return errors.Join(listens(func(*attack.Scene) string { return filepath.Join(dir, "s") }, true)(s), os.Remove(dir))
			})
		})},
	{rule: rules.C08, name: "sixteen bits", by: attack.Prove, broken: madeAt(few, newFile, 0o600), fixed: victims(temporary, madeAt(unknown, newFile, 0o600))},
	{rule: rules.R01, name: "a socket", by: attack.Prove,
		fix:    "close the listener in a defer right after net.Listen, which removes the socket, or name it with Target if it is meant to stay",
		broken: listens(unknown, false), fixed: victims(listens(unknown, true))},
	{rule: rules.R13, name: "a program", by: attack.Prove,
		fix:    "end the process on every path and wait for it before the return: exec.CommandContext with a context that is cancelled, then cmd.Wait",
		broken: running(false), fixed: victims(running(true))},
	{rule: rules.R14, name: "a goroutine", by: attack.Prove, broken: goesOn(false), fixed: victims(goesOn(true))},
	{rule: rules.X01, name: "a traversal, with os.Root", by: attack.Prove, opts: hostileArchive, then: options(attack.Refuses()),
		fix:    "refuse names that lead out of the directory (filepath.IsLocal), or work through os.Root, which refuses them too",
		broken: func(s *attack.Scene) error { return extract(s, func(string) bool { return false }) },
		fixed: victims(func(s *attack.Scene) error {
			name, err := os.ReadFile(filepath.Join(s.Home, "in"))
			if err != nil {
				return err
			}
			root, err := os.OpenRoot(s.Dir)
			if err != nil {
				return err
			}
			defer root.Close()
			return root.WriteFile(string(name), newContent, 0o600)
		})},
	{rule: rules.X01, name: "a parent that is swapped, with os.Root", by: attack.Prove, broken: lookThenRemove,
		fixed: victims(func(s *attack.Scene) error {
			root, err := os.OpenRoot(s.Dir)
			if err != nil {
				return err
			}
			defer root.Close()
			return absentIsFine(root.Remove("cache/kept"))
		})},
	{rule: rules.X06, name: "another directory in its place, with os.Root", by: attack.Prove, opts: options(attack.Unsticky(), attack.Moves(attack.Dir)),
		fix:    "open the directory once (os.OpenRoot), see that it is the one that was made (Root.Stat, its owner), and do everything relative to it",
		broken: directory(tempDir, true),
		fixed: victims(inRoot(func(root *os.Root) (os.FileInfo, error) { return root.Stat(".") }),
			inRoot(func(root *os.Root) (os.FileInfo, error) { return root.Lstat("./.") }),
			inRoot(func(root *os.Root) (os.FileInfo, error) {
				f, err := root.Open(".")
				if err != nil {
					return nil, err
				}
				defer f.Close()
				return f.Stat()
			}))},
	{rule: rules.X07, name: "a lock", by: attack.Prove, opts: options(attack.Moves(attack.File)),
		fix:    "ask for the lock without waiting (LOCK_NB, F_SETLK) and return an error where it is held, or keep the file where only its owner can open it",
		broken: locks(outPath, unix.LOCK_EX), fixed: victims(locks(outPath, unix.LOCK_EX|unix.LOCK_NB), locks(homePath, unix.LOCK_EX))},
	{rule: rules.X07, name: "a goroutine that ends the process", by: attack.Prove,
		fix: "hand the error of the goroutine to the one who waits for it: a panic there ends the program, and nothing that is deferred elsewhere runs",
		broken: meets(func() error {
			done := make(chan bool)
			go func() { defer close(done); panic("unexpected") }()
			<-done
			return nil
		}), fixed: victims(meets(func() error {
			failed := make(chan error)
			go func() { failed <- errors.New("unexpected") }()
			return <-failed
		}))},
	{rule: rules.X07, name: "the end of the process", by: attack.Prove,
		fix:    "return the error instead of log.Fatal or os.Exit, which skip what is deferred",
		broken: meets(func() error { os.Exit(1); return nil }), fixed: victims(meets(func() error { return errors.New("unexpected") }))},
	{rule: rules.X07, name: "the end of the process after an error", by: attack.Faults,
		fix: "return the error instead of log.Fatal or os.Exit, which skip what is deferred",
		broken: func(s *attack.Scene) error {
			if _, err := os.Stat(s.Dir); err != nil {
				os.Exit(1)
			}
			return nil
		}, fixed: victims(func(s *attack.Scene) error { _, err := os.Stat(s.Dir); return err })},
}

// TestFixes: what a failure says to do about it does away with it.
func TestFixes(t *testing.T) {
	for _, tt := range systemFixTests {
		t.Run(tt.String(), func(t *testing.T) { t.Parallel(); tt.try(t) })
	}
	for _, tt := range attack.Sample(fixTests) {
		t.Run(tt.String(), func(t *testing.T) { t.Parallel(); tt.try(t) })
	}
}

// TestEveryFixIsTried: whatever a failure can say to do about it has a row.
func TestEveryFixIsTried(t *testing.T) {
	has := func(rule, fix string) bool {
		return slices.ContainsFunc(slices.Concat(fixTests, systemFixTests), func(tt fixTest) bool {
			return tt.rule.ID() == rule && (fix == "" || cmp.Or(tt.fix, tt.rule.Fix()) == fix)
		})
	}
	for i, fix := range attack.FixTexts {
		require.NotEmpty(t, fix, i)
		assert.True(t, slices.ContainsFunc(slices.Concat(fixTests, systemFixTests), func(tt fixTest) bool { return tt.fix == fix }), "no row says: %s", fix)
	}
	for _, rule := range rulesInSources(t) {
		own := has(rule.ID(), rule.Fix())
		assert.Equal(t, !slices.Contains(neverOwn, rule.ID()), own, "a row with the fix of the rule book: %s", rule)
		assert.True(t, own || has(rule.ID(), ""), "no row finds %s", rule)
	}
}

// neverOwn are the rules of which attack never says what the rule book has: it
// knows what was left, or how the code did not come back.
var neverOwn = []string{rules.R01.ID(), rules.R07.ID(), rules.R13.ID(), rules.X07.ID()}

// rulesInSources are the rules that this package can find broken.
func rulesInSources(t *testing.T) (found []rules.Rule) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	named := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "rules" {
					named[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	for _, rule := range rules.All() {
		if named[rule.ID()] {
			found = append(found, rule)
		}
	}
	require.NotEmpty(t, found)
	return found
}
