package sweep

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSceneOf(t *testing.T) {
	for env, want := range map[string]string{
		"HOME=/\x00TMPDIR=/tmp/tmpproof-12/shared\x00":                    "/tmp/tmpproof-12",
		"TMPDIR=/tmp/tmpproof-12/tmpproof-3/shared":                       "/tmp/tmpproof-12/tmpproof-3",
		"TMPDIR=/tmp/tmpproof-12\x00":                                     "", // a run's root, whose programs are not the attack's
		"TMPDIR=/tmp/tmpproof-12/TestX1/001\x00":                          "",
		"TMPDIR=/tmp/tmpproof-12/shared/sub\x00":                          "",
		"TMPDIR=/tmp/shared\x00":                                          "",
		"TMPDIR=tmpproof-12/shared\x00":                                   "",
		"XTMPDIR=/tmp/tmpproof-12/shared\x00":                             "",
		"TMPDIR=\x00":                                                     "",
		"":                                                                "",
		"TMPDIR=/tmp\x00X=\x00TMPDIR=/tmp/tmpproof-12/shared\x00":         "", // the first is what getenv finds
		"A=TMPDIR=/tmp/tmpproof-12/shared\x00TMPDIR=/x/tmpproof-1/shared": "/x/tmpproof-1",
	} {
		assert.Equal(t, want, sceneOf([]byte(env)), "%q", env)
	}
}
