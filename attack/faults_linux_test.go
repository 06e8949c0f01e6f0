package attack_test

import (
	"errors"
	"os"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
)

var faultTests = []oracleTest{{
	name: "CreateTemp and rename, removed on each way out",
	victim: func(s *attack.Scene) (err error) {
		f, err := os.CreateTemp(s.Dir, "out-*")
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Remove(f.Name()))
			}
		}()
		_, err = f.WriteString("the new content")
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		return os.Rename(f.Name(), s.Path("out"))
	},
	opts: []attack.Option{attack.Target("out")},
}, {
	name: "CreateTemp and rename, left when the write fails",
	victim: func(s *attack.Scene) (err error) {
		f, err := os.CreateTemp(s.Dir, "out-*")
		if err != nil {
			return err
		}
		if _, err = f.WriteString("the new content"); err != nil {
			return errors.Join(err, f.Close())
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		if err = os.Rename(f.Name(), s.Path("out")); err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		return nil
	},
	opts: []attack.Option{attack.Target("out")},
	want: "R05",
}, {
	name: "written in place",
	victim: func(s *attack.Scene) error {
		return os.WriteFile(s.Path("out"), []byte("the new content"), 0o600)
	},
	opts: []attack.Option{attack.Target("out"), attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(s.Path("out"), []byte("the old content"), 0o600)
	})},
	want: "X05",
}}

// TestFaults: each victim is found to break exactly these rules, its nearest
// safe twin none.
func TestFaults(t *testing.T) {
	for _, tt := range faultTests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, attack.Faults)
		})
	}
}
