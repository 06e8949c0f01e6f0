package attack_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// saveReport is the code under test of the examples.
func saveReport(path string) error { return os.WriteFile(path, []byte("report"), 0o600) }

// A test function: the code under test must leave its report and nothing else.
func ExampleProve() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		}, attack.Target("report"))
	}
}

// What the code works on, and what it promises.
func ExampleSetup() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			text, err := afero.ReadFile(s.FS, s.Path("upload", "letter"))
			if err != nil {
				return err
			}
			return afero.WriteFile(s.FS, s.Home+"/letter", text, 0o600)
		},
			attack.Setup(func(s *attack.Scene) error {
				if err := os.Mkdir(s.Path("upload"), 0o777); err != nil {
					return err
				}
				return os.WriteFile(s.Path("upload", "letter"), []byte("text"), 0o666)
			}),
			attack.Hostile("upload"), // somebody else's
			attack.Ensure(func(s *attack.Scene) error {
				_, err := os.Stat(s.Home + "/letter")
				return err
			}),
		)
	}
}

// Code that is known to be broken, in a suite that must stay green: the test
// fails when it breaks in another way, and when it is mended.
func ExampleExpect() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		},
			attack.Target("report"),
			attack.Expect(rules.X01, rules.X05, rules.X07, rules.X10),
		)
	}
}

// A weaker or stronger attacker, and bounds.
func ExampleMoves() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		},
			attack.Target("report"),
			attack.Moves(attack.Symlink, attack.Socket, attack.Tamper), // these alone
			attack.Unsticky(),             // may remove and rename what is the victim's
			attack.Unrelated(),            // moves at names that have nothing to do with each other
			attack.SameGroup(),            // has the group's permissions
			attack.Depth(1),               // one move in each schedule
			attack.Budget(30*time.Second), // or the run is inconclusive, and fails
			attack.FirstFinding(),         // and no more of them
			attack.Allow(rules.C06, "a report's name is known"),
		)
	}
}

// A victim that needs the machine's own clock and process numbers.
func ExampleLive() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		}, attack.Target("report"), attack.Live("a daemon outside of the test checks the report's time"))
	}
}

// The report, where the test decides by itself.
func ExampleReportOnly() {
	_ = func(t *testing.T) {
		report := attack.Prove(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		}, attack.Target("report"), attack.ReportOnly(), attack.Schedules(1000))
		fmt.Println(report.Boundaries, report.Schedules, report.Complete, report.Elapsed)
		var a attack.Assumption
		for _, a = range report.Assumptions {
			fmt.Println(a.Kind, a.What, a.Why)
		}
		for _, f := range report.Findings {
			fmt.Println(f.Rule.ID(), f.Exploit, f.Path, f.Name)
			var e attack.Event
			for _, e = range f.Events {
				fmt.Println(e.Line, e.Call, e.Path, e.Move, e.Damage)
			}
		}
	}
}

// One schedule of an earlier report again, as the variable TMPPROOF_REPLAY does
// without a change of the test.
func ExampleReplay() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		}, attack.Target("report"), attack.Replay("symlink-absent=shared/report@openat:shared/report:report.go:12:1"))
	}
}

// Errors in place of an attacker: the disk is full, a file cannot be opened.
func ExampleFaults() {
	_ = func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		}, attack.Target("report"))
	}
}

// The process is killed before each of its calls; at Point it panics too.
func ExampleKills() {
	_ = func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error {
			f, err := os.CreateTemp(s.Dir, "work-*")
			if err != nil {
				return err
			}
			defer os.Remove(f.Name())
			defer f.Close()
			s.Point() // as a callback that panics
			return nil
		})
	}
}

// A log that grows is made whole by its reader: a last line without its end was
// never written.
func ExampleRestart() {
	appendLine := func(name, line string) error {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteString(line)
		return errors.Join(err, f.Close())
	}
	recoverLog := func(name string) error {
		all, err := os.ReadFile(name)
		if err != nil || len(all) == 0 || all[len(all)-1] == '\n' {
			return err
		}
		return os.Truncate(name, int64(bytes.LastIndexByte(all, '\n')+1))
	}
	_ = func(t *testing.T) {
		attack.Faults(t, func(s *attack.Scene) error {
			return appendLine(s.Path("log"), "second\n")
		},
			attack.Target("log"),
			attack.Setup(func(s *attack.Scene) error { return appendLine(s.Path("log"), "first\n") }),
			attack.Restart(func(s *attack.Scene) error {
				if err := recoverLog(s.Path("log")); err != nil {
					return err
				}
				all, err := os.ReadFile(s.Path("log"))
				if err == nil && string(all) != "first\n" && string(all) != "first\nsecond\n" {
					err = fmt.Errorf("the log has %q", all)
				}
				return err
			}),
		)
	}
}

// Luck, on systems that have no better: the report says what is known then.
func ExampleRace() {
	_ = func(t *testing.T) {
		var report *attack.RaceReport = attack.Race(t, func(s *attack.Scene) error {
			return saveReport(s.Path("report"))
		}, attack.Target("report"), attack.ReportOnly(), attack.Budget(time.Second))
		if report.Untried == "" {
			fmt.Printf("%d attempts, %d won: between %.2g and %.2g", report.Attempts, report.Wins, report.Low, report.High)
		}
	}
}

// A page that everybody may read, once it is whole.
func ExamplePublic() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			f, err := os.CreateTemp(s.Dir, "page-*")
			if err != nil {
				return err
			}
			defer os.Remove(f.Name())
			_, err = f.WriteString("<p>page</p>")
			if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
				return err
			}
			return os.Rename(f.Name(), s.Path("page.html"))
		}, attack.Public("page.html"))
	}
}

// A refusal is the right answer to hostile input, and is attacked as such.
func ExampleRefuses() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			name := "../home/keys" // as an archive has it
			if !filepath.IsLocal(name) {
				return fmt.Errorf("%s leads out of the directory", name)
			}
			return saveReport(s.Path(name))
		}, attack.Refuses())
	}
}

// Warnings fail the test as well: here a temporary file that SIGKILL leaves.
func ExampleStrict() {
	_ = func(t *testing.T) {
		attack.Kills(t, func(s *attack.Scene) error {
			f, err := os.CreateTemp(s.Dir, "report-*")
			if err != nil {
				return err
			}
			defer os.Remove(f.Name())
			return f.Close()
		}, attack.Strict())
	}
}

// The same attack on a disk in memory, on any operating system: the code under
// test works through s.FS.
func ExampleFake() {
	_ = func(t *testing.T) {
		attack.Prove(t, func(s *attack.Scene) error {
			return afero.WriteFile(s.FS, s.Path("report"), []byte("report"), 0o600)
		}, attack.Fake(), attack.Target("report"), attack.ReportOnly())
	}
}
