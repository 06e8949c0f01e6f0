package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// fifoVictims open a name at which the attacker can plant a FIFO.
var fifoVictims = []struct {
	name   string
	hangs  bool
	victim attack.Victim
}{
	{"the victim's own goroutine", true, func(s *attack.Scene) error { return writeAndRemove(s.Path("out"), 0) }},
	{"another goroutine", true, func(s *attack.Scene) error {
		return together(func() error { return writeAndRemove(s.Path("out"), 0) })
	}},
	{"a program", true, func(s *attack.Scene) error {
		return exec.Command("sh", "-c", `echo stuff > "$1" && rm "$1"`, "sh", s.Path("out")).Run()
	}},
	{"another goroutine that does not wait", false, func(s *attack.Scene) error {
		return together(func() error { return writeAndRemove(s.Path("out"), syscall.O_NONBLOCK) })
	}},
	{"two goroutines that set each other free", false, func(s *attack.Scene) error {
		return errors.Join(together(
			func() error { return openAndClose(s.Path("out"), os.O_WRONLY|os.O_CREATE) },
			func() error { return openAndClose(s.Path("out"), os.O_RDONLY|os.O_CREATE) },
		), os.Remove(s.Path("out")))
	}},
}

// TestFIFO plants FIFOs: whoever waits at one is named soon, whether it is
// the victim's own goroutine, another, or a program.
func TestFIFO(t *testing.T) {
	for _, row := range fifoVictims {
		t.Run(row.name, func(t *testing.T) {
			report := attack.Prove(t, row.victim, attack.Moves(attack.FIFO), attack.ReportOnly())
			var hung []string
			for _, f := range report.Findings {
				if f.Rule == rules.X07 {
					hung = append(hung, f.Detail)
				}
			}
			if !row.hangs {
				assert.Empty(t, hung, "%v", report.Findings)
				return
			}
			require.NotEmpty(t, hung)
			for _, detail := range hung {
				assert.True(t, strings.HasSuffix(detail, "it waits at the attacker's FIFO shared/out, which nobody else opens"), detail)
			}
			assert.Less(t, report.Elapsed, 5*time.Second, "without waiting for the victim's deadline")
		})
	}
}

func writeAndRemove(name string, flags int) error {
	return errors.Join(openAndClose(name, os.O_WRONLY|os.O_CREATE|flags), os.Remove(name))
}

func openAndClose(name string, flags int) error {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// together runs functions in goroutines.
func together(fs ...func() error) error {
	errs := make([]error, len(fs))
	var all sync.WaitGroup
	for i, f := range fs {
		all.Go(func() { errs[i] = f() })
	}
	all.Wait()
	return errors.Join(errs...)
}
