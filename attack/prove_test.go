package attack_test

import (
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
)

func TestStatWrite(t *testing.T) {
	r := attack.Prove(t, func(s *attack.Scene) error {
		if _, err := os.Stat(s.Path("out")); err == nil {
			return nil
		}
		return os.WriteFile(s.Path("out"), []byte("defaults"), 0o600)
	}, attack.Target("out"))
	t.Logf("%+v", r.Elapsed)
}

func TestAtomic(t *testing.T) {
	r := attack.Prove(t, func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "tmp-*")
		if err != nil {
			return err
		}
		_, err = f.WriteString("hello")
		f.Close()
		if err == nil {
			err = os.Rename(f.Name(), s.Path("out"))
		}
		if err != nil {
			os.Remove(f.Name())
		}
		return err
	}, attack.Target("out"))
	t.Logf("%+v", r.Elapsed)
}
