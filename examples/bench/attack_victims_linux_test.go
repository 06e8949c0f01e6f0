package bench

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/tmpproof/tmpproof/attack"
)

// threeCalls is the victim that the speed of schedules is measured with: three
// boundaries, as O_EXCL create, write and rename.
func threeCalls(dir string) error {
	f, err := os.CreateTemp(dir, "out-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("the code's own data\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, "out"))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// statWrite is the victim that every attacker wins against.
func statWrite(dir string) error {
	out := filepath.Join(dir, "out")
	if _, err := os.Lstat(out); err == nil {
		return errors.New("it exists")
	}
	return os.WriteFile(out, []byte("x"), 0o600)
}

// lookups makes n calls that name something in the scene where no attacker
// gets, after one where it does.
func lookups(n int) attack.Victim {
	return func(s *attack.Scene) error {
		_, _ = os.Lstat(s.Path("out"))
		for range n {
			_, _ = os.Lstat(s.Home + "/none")
		}
		return nil
	}
}

// reset empties a directory, as it has to be between two runs.
func reset(dirs ...string) error {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
