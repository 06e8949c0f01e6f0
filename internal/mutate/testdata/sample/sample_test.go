package sample

import "testing"

func TestSign(t *testing.T) {
	for n, want := range map[int]int{-5: -1, 0: 0, 5: 1, 7: 2} {
		if got := sign(n); got != want {
			t.Errorf("sign(%d) = %d", n, got)
		}
	}
}

func TestFits(t *testing.T) {
	t.Run("one", func(t *testing.T) {
		if !(&list{2}).fits(1) {
			t.Error("1 does not fit")
		}
	})
}
