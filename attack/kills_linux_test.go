package attack_test

import (
	"testing"

	"github.com/tmpproof/tmpproof/attack"
)

func TestKills(t *testing.T) {
	for _, tt := range faultTests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, attack.Kills)
		})
	}
}
