package guideline

import (
	"os"
	"os/exec"
	"path/filepath"
)

// shellExistsThenWrite is existsThenOpen with the work done by a shell, as
// build and start scripts do it.
func shellExistsThenWrite(filename string) error {
	return shell(`[ -e "$1" ] || echo defaults > "$1"`, filepath.Join(os.TempDir(), filename))
}

// shellMktemp is its safe twin: mktemp(1) makes the file, 0600 and under a
// name that was free, and the trap removes it on every way out.
func shellMktemp() error {
	return shell(`
		f=$(mktemp) || exit
		trap 'rm -f "$f"' EXIT
		echo defaults > "$f"
		[ "$(cat "$f")" = defaults ]`)
}

// shell runs a script with sh.
func shell(script string, args ...string) error {
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
