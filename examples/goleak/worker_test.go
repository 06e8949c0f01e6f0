package goleak

import (
	"testing"

	"github.com/tmpproof/tmpproof/leakcheck"
	"go.uber.org/goleak"
)

// checked is the tests of m under leakcheck.
type checked struct{ m *testing.M }

func (c checked) Run() int { return leakcheck.Run(c.m) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(checked{m}) }

func TestWorker(t *testing.T) {
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	w.Put([]byte("a"))
	w.Put([]byte("b"))
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
