package notes

import (
	"testing"

	"github.com/tmpproof/tmpproof/leakcheck"
)

// Nothing that these tests make may be left.
func TestMain(m *testing.M) { leakcheck.Main(m) }
