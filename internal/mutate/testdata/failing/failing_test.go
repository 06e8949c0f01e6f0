package failing

import "testing"

func TestPositive(t *testing.T) {
	if positive(1) {
		t.Error("it is")
	}
}
