package tmptest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tmpproof/tmpproof/tmptest"
)

func TestX(t *testing.T) {
	d := tmptest.Dir(t)
	t.Log(d)
	os.WriteFile(d+"/a", nil, 0o644)
	os.Symlink("/etc", d+"/b")
	f, _ := os.Open(d + "/a")
	_ = f
	vs, err := tmptest.Audit(d, tmptest.Process())
	for _, v := range vs {
		t.Log(v)
	}
	assert.NoError(t, err)
	s := tmptest.Shared(t)
	os.WriteFile(s+"/upload", nil, 0o644)
	os.WriteFile(s+"/../canary.txt", nil, 0o644)
	tmptest.File(t)
}

func TestN(t *testing.T) {
	tmptest.Dir(t)
	tmptest.File(t)
	tmptest.Shared(t)
}
