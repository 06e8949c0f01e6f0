package regression

import (
	"errors"
	"os"
	"path/filepath"
)

// "go bug" before Go 1.25.10 and 1.26.3 wrote a small C program under a fixed
// name in the temporary directory, and compiled it to another one. Whoever put
// a symbolic link there first had its target overwritten.
//
// GO-2026-4978, CVE-2026-39819, https://go.dev/issue/78584

const libcProgram = "int main() { return 0; }\n"

func libcVersion() error {
	src := filepath.Join(os.TempDir(), "go-bug.c")
	if err := os.WriteFile(src, []byte(libcProgram), 0o644); err != nil {
		return err
	}
	out := filepath.Join(os.TempDir(), "go-bug")
	return errors.Join(compile(src, out), os.Remove(src), os.Remove(out))
}

// The fix: a directory of its own.
func libcVersionFixed() error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	src := filepath.Join(dir, "go-bug.c")
	err = os.WriteFile(src, []byte(libcProgram), 0o644)
	if err == nil {
		err = compile(src, filepath.Join(dir, "go-bug"))
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// compile stands for the C compiler: it creates its output as compilers do.
func compile(src, out string) error {
	text, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o755)
}
