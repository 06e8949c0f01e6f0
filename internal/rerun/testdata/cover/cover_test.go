package cover

import (
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

func once(t *testing.T, fn func() []byte) {
	c, err := rerun.Enter(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.Role() == rerun.Other {
		return
	}
	if data, err := c.Once(t.Context(), fn); string(data) != "done" {
		t.Log(err)
	}
}

func Test(t *testing.T) {
	if !rerun.IsChild() {
		InParent()
	}
	once(t, func() []byte { InChild(); return []byte("done") })
	once(t, func() []byte { os.Exit(InExited()); return nil })
	once(t, func() []byte {
		InKilled()
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			p.Kill()
		}
		select {}
	})
}
