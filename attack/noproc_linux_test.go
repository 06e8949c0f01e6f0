package attack_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/noproc"
)

const envNoProc = "TMPPROOF_TEST_NOPROC"

// TestNoProcVictim is run by TestNoProc, where there is no /proc.
func TestNoProcVictim(t *testing.T) {
	if os.Getenv(envNoProc) == "" {
		t.Skip("run by TestNoProc, in a process of its own")
	}
	for name, by := range map[string]verb{"Prove": attack.Prove, "Faults": attack.Faults, "Kills": attack.Kills} {
		t.Run(name, func(t *testing.T) { by(t, temporary, mayBeKilled) })
		t.Run(name+", Fake", func(t *testing.T) { by(t, temporary, mayBeKilled, attack.Fake()) })
	}
	t.Run("Race", func(t *testing.T) { attack.Race(t, temporary) })
}

// TestNoProc: without /proc nothing of a stopped process is known. The test skips
// with that reason, or fails where it must be proved; the fake disk needs none.
func TestNoProc(t *testing.T) {
	for _, strict := range []string{"0", "1"} {
		cmd := noproc.Command(t, os.Args[0], "-test.run=^TestNoProcVictim$", "-test.v")
		cmd.Env = append(os.Environ(), envNoProc+"=1", "TMPPROOF_STRICT="+strict)
		b, err := cmd.CombinedOutput()
		out := string(b)
		assert.Equal(t, strict == "1", err != nil, out)
		for _, name := range []string{"Prove", "Faults", "Kills", "Race"} {
			outcome := "SKIP"
			if strict == "1" {
				outcome = "FAIL"
			}
			assert.Contains(t, out, "--- "+outcome+": TestNoProcVictim/"+name+" ")
			assert.Contains(t, out, "attack."+name)
		}
		assert.Contains(t, out, "there is no /proc: mount it")
		assert.Contains(t, out, "--- PASS: TestNoProcVictim/Prove,_Fake ")
	}
}
